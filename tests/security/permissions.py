"""Who may ask what. Written by hand: no command makes or mends this table, and a URL that is not in it fails.

A row is a URL pattern as the URLconf spells it, the methods, and the status that each role is answered, in the order
of world.ROLES. One status stands for all of them. A status with a w is that of a request that writes something; with
any other nothing may be written, whatever is sent. GET stands for HEAD too.

The object is one of a project that the roles but the first two are members of; the stranger manages another one.
Rows with "theirs" are about an object of that other project, so that each role is asked for what is foreign to it. Of
claims, the row with "own" is about one of the asker's, that with "others" about another annotator's.
"""

import re
from typing import NamedTuple

PAGES_AND_API = """
#                                                     anonymous stranger annotator reviewer manager root
health                                             GET                            200
health                                             POST PUT PATCH DELETE OPTIONS  405
sw.js                                              GET                            200
sw.js                                              POST PUT PATCH DELETE OPTIONS  405

/                                                  GET                            302 200 200 200 200 200
/                                                  POST PUT PATCH DELETE OPTIONS  405
login/                                             GET POST PUT OPTIONS           200 302 302 302 302 302
login/                                             PATCH DELETE                   405 302 302 302 302 302
# Nobody is on their way in: the code is for who gave a password before. No provider is set up here; see test_oidc.py.
login/code/                                        GET POST PUT PATCH DELETE OPTIONS  302
login/oidc/                                        GET                            404
login/oidc/                                        POST PUT PATCH DELETE OPTIONS  405
login/oidc/callback/                               GET                            404
login/oidc/callback/                               POST PUT PATCH DELETE OPTIONS  405
# A second factor is one's own. Nobody here has one, nor an app that makes codes; see test_second_factor.py.
second-factor/                                     GET                            302 200 200 200 200 200
second-factor/                                     POST PUT PATCH DELETE OPTIONS  405
second-factor/set-up/                              GET POST                       302 200 200 200 200 200
second-factor/set-up/                              PUT PATCH DELETE OPTIONS       302 405 405 405 405 405
second-factor/codes/                               GET POST PUT PATCH DELETE OPTIONS  302
second-factor/remove/                              GET POST PUT PATCH DELETE OPTIONS  302
logout/                                            POST                           302
logout/                                            OPTIONS                        200
logout/                                            GET PUT PATCH DELETE           405
language/                                          POST                           302
language/                                          GET PUT PATCH DELETE OPTIONS   405
password/                                          GET PUT OPTIONS                302 200 200 200 200 200
password/                                          POST                           302 302w 302w 302w 302w 302w
password/                                          PATCH DELETE                   302 405 405 405 405 405
# Of a project that anybody with the link may know; who has an account joins, who has none makes one.
join/<str:token>/                                  GET                            200
join/<str:token>/                                  POST                           302w
join/<str:token>/                                  PUT PATCH DELETE OPTIONS       405
# Without the key of a link for Prolific there is nothing, for anybody; tests/security/test_crowd.py has one.
crowd/<slug:slug>/                                 GET POST                       404
crowd/<slug:slug>/                                 PUT PATCH DELETE OPTIONS       405
crowd/<slug:slug>/arrivals.csv                     GET                            302 404 404 404 200 200
crowd/<slug:slug>/arrivals.csv                     GET theirs                     302 200 404 404 404 200
crowd/<slug:slug>/arrivals.csv                     POST PUT PATCH DELETE OPTIONS  405
account/data/                                      GET                            302 200 200 200 200 200
account/data/                                      POST PUT PATCH DELETE OPTIONS  405
judge/<slug:slug>/                                 GET                            302 404 200 200 200 200
judge/<slug:slug>/                                 GET theirs                     302 200 404 404 404 200
judge/<slug:slug>/                                 POST PUT PATCH DELETE OPTIONS  405
consent/<slug:slug>/                               GET                            302 404 200 200 200 200
consent/<slug:slug>/                               GET theirs                     302 200 404 404 404 200
consent/<slug:slug>/                               POST                           302 404 302w 302w 302w 302w
consent/<slug:slug>/                               POST theirs                    302 302w 404 404 404 302w
consent/<slug:slug>/                               PUT PATCH DELETE OPTIONS       405
withdraw/<slug:slug>/                              GET                            302 404 200 200 200 200
withdraw/<slug:slug>/                              GET theirs                     302 404 404 404 404 404
withdraw/<slug:slug>/                              POST                           302 404 302w 302w 302w 302w
withdraw/<slug:slug>/                              POST theirs                    302 404 404 404 404 404
withdraw/<slug:slug>/                              PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/groups/                      GET                            302 404 404 404 200 200
dashboard/<slug:slug>/groups/                      GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/groups/                      POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/groups/                      POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/groups/                      PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/training/                    GET                            302 404 404 404 200 200
dashboard/<slug:slug>/training/                    GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/training/                    POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/training/                    POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/training/                    PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/consent/                     GET                            302 404 404 404 200 200
dashboard/<slug:slug>/consent/                     GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/consent/                     POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/consent/                     POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/consent/                     PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/judges/                      GET                            302 404 404 404 200 200
dashboard/<slug:slug>/judges/                      GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/judges/                      POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/judges/                      POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/judges/                      PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/judges.csv                   GET                            302 404 404 404 200 200
dashboard/<slug:slug>/judges.csv                   GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/judges.csv                   POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/audit/                       GET                            302 404 404 404 200 200
dashboard/<slug:slug>/audit/                       GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/audit/                       POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/audit.csv                    GET                            302 404 404 404 200 200
dashboard/<slug:slug>/audit.csv                    GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/audit.csv                    POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/                             GET                            302 404 404 200 200 200
dashboard/<slug:slug>/                             GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/                             POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/state                        GET                            302 404 404 200 200 200
dashboard/<slug:slug>/state                        GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/state                        POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/compute                      POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/compute                      POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/compute                      GET PUT PATCH DELETE OPTIONS   405
dashboard/<slug:slug>/budget/                       GET                            302 404 404 404 200 200
dashboard/<slug:slug>/budget/                       GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/budget/                       POST                           302 404 404 404 302w 302w
dashboard/<slug:slug>/budget/                       POST theirs                    302 302w 404 404 404 302w
dashboard/<slug:slug>/budget/                       PUT PATCH DELETE OPTIONS       405
dashboard/<slug:slug>/<slug:name>.csv              GET                            302 404 404 200 200 200
dashboard/<slug:slug>/<slug:name>.csv              GET theirs                     302 200 404 404 404 200
dashboard/<slug:slug>/<slug:name>.csv              POST PUT PATCH DELETE OPTIONS  405
projects/<slug:slug>/criteria/                     GET                            302 404 404 200 200 200
projects/<slug:slug>/criteria/                     GET theirs                     302 200 404 404 404 200
projects/<slug:slug>/criteria/                     POST PUT PATCH DELETE OPTIONS  405
projects/<slug:slug>/criteria/list                 GET                            302 404 404 200 200 200
projects/<slug:slug>/criteria/list                 GET theirs                     302 200 404 404 404 200
projects/<slug:slug>/criteria/list                 POST PUT PATCH DELETE OPTIONS  405
projects/<slug:slug>/criteria/counts               GET                            302 404 404 200 200 200
projects/<slug:slug>/criteria/counts               GET theirs                     302 200 404 404 404 200
projects/<slug:slug>/criteria/counts               POST PUT PATCH DELETE OPTIONS  405
projects/<slug:slug>/criteria/<int:criterion_id>   GET                            302 404 404 200 200 200
projects/<slug:slug>/criteria/<int:criterion_id>   GET theirs                     302 200 404 404 404 200
projects/<slug:slug>/criteria/<int:criterion_id>   POST PUT PATCH DELETE OPTIONS  405
projects/<slug:slug>/criteria/decide               POST                           302 404 404 200w 200w 200w
projects/<slug:slug>/criteria/decide               POST theirs                    302 200w 404 404 404 200w
projects/<slug:slug>/criteria/decide               GET PUT PATCH DELETE OPTIONS   405
review/<slug:slug>/                                GET                            302 404 404 200 200 200
review/<slug:slug>/                                GET theirs                     302 200 404 404 404 200
review/<slug:slug>/                                POST PUT PATCH DELETE OPTIONS  405
review/<slug:slug>/<int:comparison_id>/            GET                            302 404 404 200 200 200
review/<slug:slug>/<int:comparison_id>/            GET theirs                     302 200 404 404 404 200
review/<slug:slug>/<int:comparison_id>/            POST                           302 404 404 302w 302w 302w
review/<slug:slug>/<int:comparison_id>/            POST theirs                    302 302w 404 404 404 302w
review/<slug:slug>/<int:comparison_id>/            PUT PATCH DELETE OPTIONS       405
comments/<slug:slug>/                              GET                            302 404 200 200 200 200
comments/<slug:slug>/                              GET theirs                     302 200 404 404 404 200
comments/<slug:slug>/                              POST                           302 404 302w 302w 302w 302w
# Nothing was said to them there.
comments/<slug:slug>/                              POST theirs                    302 404 404 404 404 404
comments/<slug:slug>/                              PUT PATCH DELETE OPTIONS       405
media/review/<int:comparison_id>/<str:slot>/<str:kind>  GET                       302 404 404 200 200 200
media/review/<int:comparison_id>/<str:slot>/<str:kind>  GET theirs                302 200 404 404 404 200
media/review/<int:comparison_id>/<str:slot>/<str:kind>  POST PUT PATCH DELETE OPTIONS  405
media/<uuid:claim_id>/<str:slot>/<str:kind>        GET own                        302 404 200 200 200 200
media/<uuid:claim_id>/<str:slot>/<str:kind>        GET others                     302 404 404 404 404 404
media/<uuid:claim_id>/<str:slot>/<str:kind>        GET theirs                     302 404 404 404 404 404
media/<uuid:claim_id>/<str:slot>/<str:kind>        POST PUT PATCH DELETE OPTIONS  405
assets/<int:asset_id>/<str:kind>/                  GET                            302 404 404 200 200 200
assets/<int:asset_id>/<str:kind>/                  GET theirs                     302 200 404 404 404 200
assets/<int:asset_id>/<str:kind>/                  POST PUT PATCH DELETE OPTIONS  405

api/<str:version>/schema/                          GET OPTIONS                    401 200 200 200 200 200
api/<str:version>/schema/                          POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/                        GET OPTIONS                    401 200 200 200 200 200
api/<str:version>/projects/                        POST PUT PATCH DELETE          401 405 405 405 405 405
# Who comes for the first time is given a pseudonym.
api/<str:version>/projects/<slug:slug>/            GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/            GET theirs                     401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/            OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/            POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/claims/     GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/claims/     POST                           401 404 200w 200w 200w 200w
api/<str:version>/projects/<slug:slug>/claims/     GET theirs                     401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/claims/     POST theirs                    401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/claims/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/claims/     PUT PATCH DELETE               401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/offline/    POST                           401 404 200w 200w 200w 200w
api/<str:version>/projects/<slug:slug>/offline/    POST theirs                    401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/offline/    OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/offline/    GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/give-back/  POST                           401 404 200w 200w 200w 200w
api/<str:version>/projects/<slug:slug>/give-back/  POST theirs                    401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/give-back/  OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/give-back/  GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/criteria/   GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/criteria/   GET theirs                     401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/criteria/   OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/criteria/   POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/history/    GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/history/    GET theirs                     401 200w 404 404 404 200w
api/<str:version>/projects/<slug:slug>/history/    OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/history/    POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/          GET own                        401 404 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/          GET others                     401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/          GET theirs                     401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/          OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/          POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/submit/   POST own                       401 404 200w 200w 200w 200w
api/<str:version>/claims/<uuid:claim_id>/submit/   POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/submit/   POST theirs                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/submit/   OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/submit/   GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/skip/     POST own                       401 404 200w 200w 200w 200w
api/<str:version>/claims/<uuid:claim_id>/skip/     POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/skip/     POST theirs                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/skip/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/skip/     GET PUT PATCH DELETE           401 405 405 405 405 405
# The claim is still held: there is nothing to undo.
api/<str:version>/claims/<uuid:claim_id>/undo/     POST own                       401 404 409 409 409 409
api/<str:version>/claims/<uuid:claim_id>/undo/     POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/undo/     POST theirs                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/undo/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/undo/     GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/draft/    POST own                       401 404 204w 204w 204w 204w
api/<str:version>/claims/<uuid:claim_id>/draft/    POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/draft/    POST theirs                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/draft/    OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/draft/    GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/read/     POST own                       401 404 204  204  204  204
api/<str:version>/claims/<uuid:claim_id>/read/     POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/read/     POST theirs                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/read/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/read/     GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ POST own                      401 404 200w 200w 200w 200w
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ POST others                   401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ POST theirs                   401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ OPTIONS                       401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ GET PUT PATCH DELETE          401 405 405 405 405 405
"""

# The admin knows reading and posting; who may neither manage nor see judgments anywhere is sent to log in, and then told
# that it is not for them. A row with a name in braces stands for each of those that NAMES has for it, one with a star
# for every URL of the admin.
ADMIN = """
#                                                     anonymous stranger annotator reviewer manager root
admin/*                                            PUT PATCH DELETE OPTIONS  405
admin/                                             GET POST          302 200 302 200 200 200
admin/login/                                       GET POST          302 302 403 302 302 302
admin/logout/                                      GET               302 405 302 405 405 405
admin/logout/                                      POST              302
admin/password_change/                             GET               302 200 302 200 200 200
admin/password_change/                             POST              302 302w 302 302w 302w 302w
admin/password_change/done/                        GET               302 200 302 200 200 200
admin/password_change/done/                        POST              302 405 302 405 405 405
admin/autocomplete/                                GET               302 403 302 403 403 403
admin/autocomplete/                                POST              302 405 302 405 405 405
admin/jsi18n/                                      GET               302 200 302 200 200 200
admin/jsi18n/                                      POST              302 405 302 405 405 405
admin/r/<path:content_type_id>/<path:object_id>/   GET POST          302 404 302 404 404 404
admin/^(?P<app_label>annotate|axes)/$              GET POST          302 200 302 200 200 200
admin/(?P<url>.*)$                                 GET POST          302 404 302 404 404 404

# Lists show the rows of one's own projects; MAY_SEE watches over that. What was judged, reviewers see too.
admin/annotate/{judged}/                           GET POST          302 200 302 200 200 200
admin/annotate/{judged}/add/                       GET POST          302 403 302 403 403 403
admin/annotate/{judged}/<path:object_id>/          GET POST          302
admin/annotate/{judged}/<path:object_id>/change/   GET               302 404 302 200 200 200
admin/annotate/{judged}/<path:object_id>/change/   GET theirs        302 200 302 404 404 200
admin/annotate/{judged}/<path:object_id>/change/   POST              302 404 302 403 403 403
admin/annotate/{judged}/<path:object_id>/change/   POST theirs       302 403 302 404 404 403
admin/annotate/{judged}/<path:object_id>/history/  GET POST          302 404 302 403 200 200
admin/annotate/{judged}/<path:object_id>/history/  GET POST theirs   302 200 302 404 404 200
admin/annotate/{judged}/<path:object_id>/delete/   GET POST          302 404 302 403 403 403
admin/annotate/{judged}/<path:object_id>/delete/   GET POST theirs   302 403 302 404 404 403
admin/annotate/criterion/<str:object_id>/act/{of_criterion}/  GET          302 404 302 403 200 200
admin/annotate/criterion/<str:object_id>/act/{of_criterion}/  GET theirs   302 200 302 404 404 200
admin/annotate/criterion/<str:object_id>/act/{of_criterion}/  POST         302 404 302 403 302w 302w
admin/annotate/criterion/<str:object_id>/act/{of_criterion}/  POST theirs  302 302w 302 404 404 302w
admin/annotate/pair/<str:object_id>/act/{of_pair}/            GET          302 404 302 403 200 200
admin/annotate/pair/<str:object_id>/act/{of_pair}/            GET theirs   302 200 302 404 404 200
admin/annotate/pair/<str:object_id>/act/{of_pair}/            POST         302 404 302 403 302w 302w
admin/annotate/pair/<str:object_id>/act/{of_pair}/            POST theirs  302 302w 302 404 404 302w
admin/annotate/asset/<str:object_id>/act/retry/    GET               302 404 302 403 200 200
admin/annotate/asset/<str:object_id>/act/retry/    GET theirs        302 200 302 404 404 200
admin/annotate/asset/<str:object_id>/act/retry/    POST              302 404 302 403 302w 302w
admin/annotate/asset/<str:object_id>/act/retry/    POST theirs       302 302w 302 404 404 302w

# Everything else of a project is for who manages it.
admin/annotate/{managed}/                          GET               302 200 302 403 200 200
admin/annotate/{unacted}/                          POST              302 200 302 403 200 200
admin/annotate/{acted}/                            POST              302 302 302 403 302w 302w
admin/annotate/{acted}/                            POST theirs       302 302w 302 403 302 302w
admin/annotate/{managed}/<path:object_id>/         GET POST          302
admin/annotate/{managed}/<path:object_id>/history/ GET POST          302 404 302 404 200 200
admin/annotate/{managed}/<path:object_id>/history/ GET POST theirs   302 200 302 404 404 200
admin/annotate/{managed}/<path:object_id>/delete/  GET POST          302 404 302 404 403 403
admin/annotate/{managed}/<path:object_id>/delete/  GET POST theirs   302 403 302 404 404 403
admin/annotate/{read}/add/                         GET POST          302 403 302 403 403 403
admin/annotate/{read}/<path:object_id>/change/     GET               302 404 302 404 200 200
admin/annotate/{read}/<path:object_id>/change/     GET theirs        302 200 302 404 404 200
admin/annotate/{read}/<path:object_id>/change/     POST              302 404 302 404 403 403
admin/annotate/{read}/<path:object_id>/change/     POST theirs       302 403 302 404 404 403

admin/annotate/project/add/                        GET               302 403 302 403 403 200
admin/annotate/project/add/                        POST              302 403 302 403 403 302w
admin/annotate/project/<path:object_id>/change/    GET               302 404 302 404 200 200
admin/annotate/project/<path:object_id>/change/    GET theirs        302 200 302 404 404 200
admin/annotate/project/<path:object_id>/change/    POST              302 404 302 404 302w 302w
admin/annotate/project/<path:object_id>/change/    POST theirs       302 302w 302 404 404 302w
admin/annotate/project/<int:project_id>/learning/  GET POST          302 404 302 404 200 200
admin/annotate/project/<int:project_id>/learning/  GET POST theirs   302 200 302 404 404 200
admin/annotate/project/<str:object_id>/act/{of_project}/      GET          302 404 302 404 200 200
admin/annotate/project/<str:object_id>/act/{of_project}/      GET theirs   302 200 302 404 404 200
admin/annotate/project/<str:object_id>/act/{of_project}/      POST         302 404 302 404 302w 302w
admin/annotate/project/<str:object_id>/act/{of_project}/      POST theirs  302 302w 302 404 404 302w
admin/annotate/claim/<str:object_id>/act/release/  GET               302 404 302 404 200 200
admin/annotate/claim/<str:object_id>/act/release/  GET theirs        302 200 302 404 404 200
admin/annotate/claim/<str:object_id>/act/release/  POST              302 404 302 404 302w 302w
admin/annotate/claim/<str:object_id>/act/release/  POST theirs       302 302w 302 404 404 302w
admin/annotate/invitation/<str:object_id>/act/revoke/         GET          302 404 302 404 200 200
admin/annotate/invitation/<str:object_id>/act/revoke/         GET theirs   302 200 302 404 404 200
admin/annotate/invitation/<str:object_id>/act/revoke/         POST         302 404 302 404 302w 302w
admin/annotate/invitation/<str:object_id>/act/revoke/         POST theirs  302 302w 302 404 404 302w
admin/annotate/membership/<str:object_id>/act/{of_member}/    GET          302 404 302 404 200 200
admin/annotate/membership/<str:object_id>/act/{of_member}/    GET theirs   302 200 302 404 404 200
admin/annotate/membership/<str:object_id>/act/{of_member}/    POST         302 404 302 404 302w 302w
admin/annotate/membership/<str:object_id>/act/{of_member}/    POST theirs  302 302w 302 404 404 302w
admin/annotate/crowdarrival/<str:object_id>/act/elsewhere/    GET          302 404 302 404 200 200
admin/annotate/crowdarrival/<str:object_id>/act/elsewhere/    GET theirs   302 200 302 404 404 200
admin/annotate/crowdarrival/<str:object_id>/act/elsewhere/    POST         302 404 302 404 302w 302w
admin/annotate/crowdarrival/<str:object_id>/act/elsewhere/    POST theirs  302 302w 302 404 404 302w
# The links are shown in the answer itself: nobody can ask for them again.
admin/annotate/project/<str:object_id>/act/{of_inviting}/     GET          302 404 302 404 200 200
admin/annotate/project/<str:object_id>/act/{of_inviting}/     GET theirs   302 200 302 404 404 200
admin/annotate/project/<str:object_id>/act/{of_inviting}/     POST         302 404 302 404 200w 200w
admin/annotate/project/<str:object_id>/act/{of_inviting}/     POST theirs  302 200w 302 404 404 200w
admin/annotate/annotator/<str:object_id>/act/{of_annotator}/  GET          302 404 302 404 200 200
admin/annotate/annotator/<str:object_id>/act/{of_annotator}/  GET theirs   302 200 302 404 404 200
admin/annotate/annotator/<str:object_id>/act/{of_annotator}/  POST         302 404 302 404 302w 302w
admin/annotate/annotator/<str:object_id>/act/{of_annotator}/  POST theirs  302 302w 302 404 404 302w

admin/annotate/job/add/                            GET POST          302 403 302 403 403 403
# A job and an import have one page for both: where they can be watched.
admin/annotate/job/<path:object_id>/change/        GET POST          302 404 302 404 302 302
admin/annotate/job/<path:object_id>/change/        GET POST theirs   302 302 302 404 404 302
admin/annotate/job/<int:job_id>/progress/          GET POST          302 404 302 404 200 200
admin/annotate/job/<int:job_id>/progress/          GET POST theirs   302 200 302 404 404 200
admin/annotate/job/<int:job_id>/progress.json      GET POST          302 404 302 404 200 200
admin/annotate/job/<int:job_id>/progress.json      GET POST theirs   302 200 302 404 404 200
admin/annotate/job/<str:object_id>/act/{of_job}/   GET               302 404 302 404 200 200
admin/annotate/job/<str:object_id>/act/{of_job}/   GET theirs        302 200 302 404 404 200
admin/annotate/job/<str:object_id>/act/{of_job}/   POST              302 404 302 404 302w 302w
admin/annotate/job/<str:object_id>/act/{of_job}/   POST theirs       302 302w 302 404 404 302w
# An import into a project that is foreign is a choice that the form does not have.
admin/annotate/dataimport/add/                     GET               302 200 302 403 200 200
admin/annotate/dataimport/add/                     POST              302 200 302 403 302w 302w
admin/annotate/dataimport/add/                     POST theirs       302 302w 302 403 200 302w
admin/annotate/dataimport/preview/                 GET               302 405 302 405 405 405
admin/annotate/dataimport/preview/                 POST              302 400 302 403 200 200
admin/annotate/dataimport/preview/                 POST theirs       302 200 302 403 400 200
admin/annotate/dataimport/<path:object_id>/change/ GET POST          302 404 302 404 302 302
admin/annotate/dataimport/<path:object_id>/change/ GET POST theirs   302 302 302 404 404 302
admin/annotate/dataimport/<int:import_id>/refused.jsonl  GET POST         302 404 302 404 200 200
admin/annotate/dataimport/<int:import_id>/refused.jsonl  GET POST theirs  302 200 302 404 404 200
# Who took an archive is written down.
admin/annotate/release/<uuid:release_id>/download/ GET POST          302 404 302 404 200w 200w
admin/annotate/release/<uuid:release_id>/download/ GET POST theirs   302 200w 302 404 404 200w

# Accounts and failed logins are for superusers.
admin/annotate/user/                               GET POST          302 403 302 403 403 200
admin/annotate/user/add/                           GET               302 403 302 403 403 200
admin/annotate/user/add/                           POST              302 403 302 403 403 302w
admin/annotate/user/<id>/password/                 GET               302 403 302 403 403 200
admin/annotate/user/<id>/password/                 POST              302 403 302 403 403 302w
admin/annotate/user/<path:object_id>/reset-factor/ GET               302 403 302 403 403 200
admin/annotate/user/<path:object_id>/reset-factor/ POST              302 403 302 403 403 302w
admin/annotate/user/<path:object_id>/              GET POST          302
admin/annotate/user/<path:object_id>/history/      GET POST          302 404 302 404 404 200
admin/annotate/user/<path:object_id>/change/       GET               302 403 302 403 403 200
admin/annotate/user/<path:object_id>/change/       POST              302 403 302 403 403 302w
admin/annotate/user/<path:object_id>/delete/       GET POST          302 403 302 403 403 403
# So are teams; whoever manages a project gives one a role there.
admin/annotate/team/                               GET POST          302 403 302 403 403 200
admin/annotate/team/add/                           GET               302 403 302 403 403 200
admin/annotate/team/add/                           POST              302 403 302 403 403 302w
admin/annotate/team/<path:object_id>/              GET POST          302
admin/annotate/team/<path:object_id>/history/      GET POST          302 404 302 404 404 200
admin/annotate/team/<path:object_id>/change/       GET               302 403 302 403 403 200
admin/annotate/team/<path:object_id>/change/       POST              302 403 302 403 403 302w
admin/annotate/team/<path:object_id>/delete/       GET               302 403 302 403 403 200
admin/annotate/team/<path:object_id>/delete/       POST              302 403 302 403 403 302w
admin/axes/{axes}/                                 GET POST          302 403 302 403 403 200
admin/axes/{axes}/add/                             GET POST          302 403 302 403 403 403
admin/axes/{axes}/<path:object_id>/                GET POST          302
admin/axes/{axes}/<path:object_id>/history/        GET POST          302 404 302 404 404 200
admin/axes/{axes}/<path:object_id>/change/         GET               302 403 302 403 403 200
admin/axes/{axes}/<path:object_id>/change/         POST              302 403 302 403 403 403
admin/axes/{axes_logs}/<path:object_id>/delete/    GET POST          302 403 302 403 403 403
# Deleting a failed attempt lets its name or address in again.
admin/axes/accessattempt/<path:object_id>/delete/  GET               302 403 302 403 403 200
admin/axes/accessattempt/<path:object_id>/delete/  POST              302 403 302 403 403 302w

# The last: with the rows, which come back after each request, go their files, which do not.
admin/annotate/project/<str:object_id>/act/erase/  GET               302 404 302 404 200 200
admin/annotate/project/<str:object_id>/act/erase/  GET theirs        302 200 302 404 404 200
admin/annotate/project/<str:object_id>/act/erase/  POST              302 404 302 404 302w 302w
admin/annotate/project/<str:object_id>/act/erase/  POST theirs       302 302w 302 404 404 302w
"""

NAMES = {
    "judged": "asset criterion judgment pair",
    "managed": "annotator auditentry claim criteriarun crowdarrival dataimport draw invitation job membership project proposal release",
    "acted": "claim membership project",
    "unacted": "annotator auditentry criteriarun crowdarrival dataimport draw invitation job proposal release",
    "read": "annotator auditentry claim criteriarun crowdarrival draw invitation membership proposal release",
    "axes": "accessattempt accessfailurelog accesslog",
    "axes_logs": "accessfailurelog accesslog",
    "of_annotator": "exclude count-again groups withdraw",
    "of_criterion": "apply change merge",
    "of_pair": "people gold ungold",
    "of_project": "export pause open close raise-k team no-team refit train compare promote auto freeze go-uniform",
    "of_inviting": "link invite crowd-link",
    "of_member": "pause resume let-in forgive role remove",
    "of_job": "cancel retry",
}

# Which of the canaries of world.py each role may be shown, anywhere. Nobody is ever shown a key of pseudonyms.
_OURS_TO_JUDGE = "canary-ours-(project|guidelines|prompt|criterion|comment)"
MAY_SEE = {
    "anonymous": "nothing",
    "stranger": "(?!.*(-key|@))canary-theirs-.*",
    "annotator": _OURS_TO_JUDGE,
    "reviewer": rf"{_OURS_TO_JUDGE}|canary-ours-(pseudonym|rationale|group|row|\d|model-\d|source|metadata)",
    "manager": "(?!.*(-key|@))canary-ours-.*",
    "root": "(?!.*-key).*",
}


class Row(NamedTuple):
    """What a request is answered, and whether it writes, for each role. `case`: whose object it is about."""

    route: str
    case: str
    method: str
    statuses: tuple[int, ...]
    writes: tuple[bool, ...]


def _rows(*tables: str) -> list[Row]:
    rows: list[Row] = []
    for line in filter(None, (line.partition("#")[0].strip() for line in "".join(tables).splitlines())):
        found = re.fullmatch(r"(\S+)\s+([A-Z ]+?)(?: (own|others|theirs))?\s+([\dw ]+)", line)
        assert found, line
        answers = found[4].split()
        assert len(answers) in (1, 6), line
        answers *= 6 // len(answers)
        named = re.search(r"\{(\w+)\}", found[1])
        for name in NAMES[named[1]].split() if named else [""]:
            route = re.sub(r"\{\w+\}", name, found[1]) if found[1] != "/" else ""
            rows += [
                Row(
                    route,
                    found[3] or "own",
                    method,
                    tuple(int(answer.rstrip("w")) for answer in answers),
                    tuple(answer.endswith("w") for answer in answers),
                )
                for method in found[2].split()
            ]
    routes = dict.fromkeys(row.route for row in rows)
    return [
        row._replace(route=route)
        for row in rows
        for route in (
            [one for one in routes if one.startswith(row.route[:-1]) and one != row.route]
            if row.route.endswith("/*")
            else [row.route]
        )
    ]


EXPECTED = _rows(PAGES_AND_API, ADMIN)

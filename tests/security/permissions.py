"""Who may ask what. Written by hand: no command makes or mends this table, and a URL that is not in it fails.

A row is a URL pattern as the URLconf spells it, the methods, and the status that each role is answered, in the order
of world.ROLES. One status stands for all of them. The object is one of a project that the roles but the first two
are members of; the stranger manages another one, so that column is what a foreign object shows of itself: nothing.
Of claims, the row with "own" is about one of the asker's, that with "others" about another annotator's.
"""

import re

PAGES_AND_API = """
#                                                     anonymous stranger annotator reviewer manager root
health                                             GET                            200
health                                             POST PUT PATCH DELETE OPTIONS  405

/                                                  GET                            302 200 200 200 200 200
/                                                  POST PUT PATCH DELETE OPTIONS  405
login/                                             GET POST PUT OPTIONS           200 302 302 302 302 302
login/                                             PATCH DELETE                   405 302 302 302 302 302
logout/                                            POST                           302
logout/                                            OPTIONS                        200
logout/                                            GET PUT PATCH DELETE           405
password/                                          GET POST PUT OPTIONS           302 200 200 200 200 200
password/                                          PATCH DELETE                   302 405 405 405 405 405
judge/<slug:slug>/                                 GET                            302 404 200 200 200 200
judge/<slug:slug>/                                 POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/                             GET                            302 404 404 404 200 200
dashboard/<slug:slug>/                             POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/state                        GET                            302 404 404 404 200 200
dashboard/<slug:slug>/state                        POST PUT PATCH DELETE OPTIONS  405
dashboard/<slug:slug>/compute                      POST                           302 404 404 404 302 302
dashboard/<slug:slug>/compute                      GET PUT PATCH DELETE OPTIONS   405
dashboard/<slug:slug>/<slug:name>.csv              GET                            302 404 404 404 200 200
dashboard/<slug:slug>/<slug:name>.csv              POST PUT PATCH DELETE OPTIONS  405
media/<uuid:claim_id>/<str:slot>/<str:kind>        GET own                        302 404 200 200 200 200
media/<uuid:claim_id>/<str:slot>/<str:kind>        GET others                     302 404 404 404 404 404
media/<uuid:claim_id>/<str:slot>/<str:kind>        POST PUT PATCH DELETE OPTIONS  405
assets/<int:asset_id>/<str:kind>/                  GET                            302 404 404 200 200 200
assets/<int:asset_id>/<str:kind>/                  POST PUT PATCH DELETE OPTIONS  405

api/<str:version>/schema/                          GET OPTIONS                    401 200 200 200 200 200
api/<str:version>/schema/                          POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/                        GET OPTIONS                    401 200 200 200 200 200
api/<str:version>/projects/                        POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/            GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/            OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/            POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/claims/     GET POST                       401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/claims/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/claims/     PUT PATCH DELETE               401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/criteria/   GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/criteria/   OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/criteria/   POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/projects/<slug:slug>/history/    GET                            401 404 200 200 200 200
api/<str:version>/projects/<slug:slug>/history/    OPTIONS                        401 200 200 200 200 200
api/<str:version>/projects/<slug:slug>/history/    POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/          GET own                        401 404 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/          GET others                     401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/          OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/          POST PUT PATCH DELETE          401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/submit/   POST own                       401 404 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/submit/   POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/submit/   OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/submit/   GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/skip/     POST own                       401 404 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/skip/     POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/skip/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/skip/     GET PUT PATCH DELETE           401 405 405 405 405 405
# The claim is still held: there is nothing to undo.
api/<str:version>/claims/<uuid:claim_id>/undo/     POST own                       401 404 409 409 409 409
api/<str:version>/claims/<uuid:claim_id>/undo/     POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/undo/     OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/undo/     GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/draft/    POST own                       401 404 204 204 204 204
api/<str:version>/claims/<uuid:claim_id>/draft/    POST others                    401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/draft/    OPTIONS                        401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/draft/    GET PUT PATCH DELETE           401 405 405 405 405 405
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ POST own                      401 404 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ POST others                   401 404 404 404 404 404
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ OPTIONS                       401 200 200 200 200 200
api/<str:version>/claims/<uuid:claim_id>/heartbeat/ GET PUT PATCH DELETE          401 405 405 405 405 405
"""

# The admin takes whatever is not POST for GET. Who manages nothing is sent to log in, and then told that it is not
# for them. A row with a model in braces stands for each of the models that MODELS names so.
ADMIN = """
#                                                     anonymous stranger annotator reviewer manager root
admin/                                             GET POST   302 200 302 302 200 200
admin/login/                                       GET POST   302 302 403 403 302 302
admin/logout/                                      GET        302 405 302 302 405 405
admin/logout/                                      POST       302
admin/password_change/                             GET POST   302 200 302 302 200 200
admin/password_change/done/                        GET        302 200 302 302 200 200
admin/password_change/done/                        POST       302 405 302 302 405 405
admin/autocomplete/                                GET        302 403 302 302 403 403
admin/autocomplete/                                POST       302 405 302 302 405 405
admin/jsi18n/                                      GET        302 200 302 302 200 200
admin/jsi18n/                                      POST       302 405 302 302 405 405
admin/r/<path:content_type_id>/<path:object_id>/   GET POST   302 404 302 302 404 404
admin/^(?P<app_label>annotate|axes)/$              GET POST   302 200 302 302 200 200
admin/(?P<url>.*)$                                 GET POST   302 404 302 302 404 404

# Lists show the rows of one's own projects; MAY_SEE watches over that.
admin/annotate/{scoped}/                           GET POST   302 200 302 302 200 200
admin/annotate/{scoped}/<path:object_id>/          GET POST   302
admin/annotate/{scoped}/<path:object_id>/history/  GET POST   302 404 302 302 200 200
admin/annotate/{scoped}/<path:object_id>/delete/   GET POST   302 404 302 302 403 403
admin/annotate/{read}/add/                         GET POST   302 403 302 302 403 403
admin/annotate/{read}/<path:object_id>/change/     GET        302 404 302 302 200 200
admin/annotate/{read}/<path:object_id>/change/     POST       302 404 302 302 403 403

admin/annotate/project/add/                        GET POST   302 403 302 302 403 200
admin/annotate/project/<path:object_id>/change/    GET POST   302 404 302 302 200 200
admin/annotate/project/<int:project_id>/learning/  GET POST   302 404 302 302 200 200
admin/annotate/project/<str:object_id>/act/<slug:name>/    GET   302 404 302 302 200 200
admin/annotate/project/<str:object_id>/act/<slug:name>/    POST  302 404 302 302 302 302
admin/annotate/criterion/<str:object_id>/act/<slug:name>/  GET   302 404 302 302 200 200
admin/annotate/criterion/<str:object_id>/act/<slug:name>/  POST  302 404 302 302 302 302
admin/annotate/claim/<str:object_id>/act/<slug:name>/      GET   302 404 302 302 200 200
admin/annotate/claim/<str:object_id>/act/<slug:name>/      POST  302 404 302 302 302 302
admin/annotate/asset/<str:object_id>/act/<slug:name>/      GET   302 404 302 302 200 200
admin/annotate/asset/<str:object_id>/act/<slug:name>/      POST  302 404 302 302 302 302
# A withdrawal wants the pseudonym typed, and asks again.
admin/annotate/annotator/<str:object_id>/act/<slug:name>/  GET POST  302 404 302 302 200 200

admin/annotate/job/add/                            GET POST   302 403 302 302 403 403
# A job and an import have one page for both: where they can be watched.
admin/annotate/job/<path:object_id>/change/        GET POST   302 404 302 302 302 302
admin/annotate/job/<int:job_id>/progress/          GET POST   302 404 302 302 200 200
admin/annotate/job/<int:job_id>/progress.json      GET POST   302 404 302 302 200 200
admin/annotate/job/<str:object_id>/act/<slug:name>/  GET      302 404 302 302 200 200
admin/annotate/job/<str:object_id>/act/<slug:name>/  POST     302 404 302 302 302 302
admin/annotate/dataimport/add/                     GET POST   302 200 302 302 200 200
admin/annotate/dataimport/<path:object_id>/change/ GET POST   302 404 302 302 302 302
admin/annotate/dataimport/<int:import_id>/refused.jsonl  GET POST  302 404 302 302 200 200
admin/annotate/release/<uuid:release_id>/download/ GET POST   302 404 302 302 200 200

# Accounts and failed logins are for superusers.
admin/annotate/user/                               GET POST   302 403 302 302 403 200
admin/annotate/user/add/                           GET POST   302 403 302 302 403 200
admin/annotate/user/<id>/password/                 GET POST   302 403 302 302 403 200
admin/annotate/user/<path:object_id>/              GET POST   302
admin/annotate/user/<path:object_id>/history/      GET POST   302 404 302 302 404 200
admin/annotate/user/<path:object_id>/change/       GET POST   302 403 302 302 403 200
admin/annotate/user/<path:object_id>/delete/       GET POST   302 403 302 302 403 403
admin/axes/{axes}/                                 GET POST   302 403 302 302 403 200
admin/axes/{axes}/add/                             GET POST   302 403 302 302 403 403
admin/axes/{axes}/<path:object_id>/                GET POST   302
admin/axes/{axes}/<path:object_id>/history/        GET POST   302 403 302 302 403 200
admin/axes/{axes}/<path:object_id>/change/         GET        302 403 302 302 403 200
admin/axes/{axes}/<path:object_id>/change/         POST       302 403 302 302 403 302
admin/axes/{axes}/<path:object_id>/delete/         GET POST   302 403 302 302 403 200
"""

MODELS = {
    "scoped": "annotator asset auditentry claim criterion dataimport draw job judgment pair project release",
    "read": "annotator asset auditentry claim criterion draw judgment pair release",
    "axes": "accessattempt accessfailurelog accesslog",
}

# What the page of an act is asked for, by model.
ACTS = {
    "annotator": "withdraw",
    "asset": "retry",
    "claim": "release",
    "criterion": "apply",
    "job": "retry",
    "project": "pause",
}

# Which of the canaries of world.py each role may be shown, anywhere. Nobody is ever shown a key of pseudonyms.
_OURS_TO_JUDGE = "canary-ours-(project|guidelines|prompt|criterion)"
MAY_SEE = {
    "anonymous": "nothing",
    "stranger": "(?!.*(-key|@))canary-theirs-.*",
    "annotator": _OURS_TO_JUDGE,
    "reviewer": _OURS_TO_JUDGE,
    "manager": "(?!.*(-key|@))canary-ours-.*",
    "root": "(?!.*-key).*",
}

Row = tuple[str, str, str, tuple[int, ...]]


def _rows(table: str) -> list[Row]:
    """(URL pattern, "own" or "others", method, a status for each role) of each line."""
    rows: list[Row] = []
    for line in filter(None, (line.partition("#")[0].strip() for line in table.splitlines())):
        found = re.fullmatch(r"(\S+)\s+([A-Z ]+?)(?: (own|others))?\s+([\d ]+)", line)
        assert found, line
        statuses = tuple(map(int, found[4].split()))
        assert len(statuses) in (1, 6), line
        named = re.search(r"\{(\w+)\}", found[1])
        for model in MODELS[named[1]].split() if named else [""]:
            pattern = re.sub(r"\{\w+\}", model, found[1]) if found[1] != "/" else ""
            rows += [
                (pattern, found[3] or "own", method, statuses * (6 // len(statuses)))
                for method in found[2].split()
            ]
    return rows


EXPECTED = _rows(PAGES_AND_API) + _rows(ADMIN)

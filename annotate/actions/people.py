"""People: the pseudonyms under which they judge."""

import secrets

from annotate.models import Annotator, Project, User


def annotator_for(user: User, project: Project) -> Annotator:
    """The user's pseudonym in the project, made on first use. Its name tells nothing of the account."""
    found = Annotator.objects.filter(user=user, project=project).first()
    if found is None:
        found, _created = Annotator.objects.get_or_create(
            user=user, project=project, defaults={"pseudonym": f"a-{secrets.token_hex(4)}"}
        )
    found.project = project
    return found

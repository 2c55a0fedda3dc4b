"""Teams: people who get their roles in projects together."""

from django.db import models
from django.db.models import Q

from annotate.models.project import Project, Role, User


class Team(models.Model):
    """People of this installation. Which role they have where says TeamRole; what comes of it stands in Membership."""

    name = models.CharField(max_length=80, unique=True)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(name=""), name="team_has_name")]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    team = models.ForeignKey(Team, models.CASCADE, related_name="members", db_index=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="teams")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="team_member_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class TeamRole(models.Model):
    """Everybody in the team has at least this role in the project."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="roles", db_index=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="team_roles")
    role = models.CharField(max_length=12, choices=Role, default=Role.ANNOTATOR)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "project"], name="team_role_once")]

    def __str__(self) -> str:
        return f"{self.team} as {self.role}"

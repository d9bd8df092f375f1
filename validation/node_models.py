"""The nodes that runs may ask, and those that were removed of late."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import models
from django.db.models.functions import Now

# As long as `NodeUrl` lets one be.
LABEL_LENGTH = 140
# What was removed can be put back for so long.
REMOVED_KEPT = timedelta(days=1)


class NodeQuerySet(models.QuerySet["Node"]):
    def known(self, configured: Iterable[str]) -> list[str]:
        """The labels of all nodes: of those `configured` by the environment, and those added."""
        added = self.exclude(url="").values_list("label", flat=True)
        return sorted({*added, *configured})

    def in_service(self, configured: Iterable[str]) -> list[str]:
        """As `known`, without those that are cordoned."""
        cordoned = self.filter(cordoned_at__isnull=False).values_list("label", flat=True)
        return sorted(set(self.known(configured)) - set(cordoned))


class Node(models.Model):
    """A node that runs may ask: one of NODE_URLS, or one that an operator added.

    Workers read the table again when the revision of the control `nodes` rises.
    """

    # Host, port and short id: `NodeUrl.label`. What every page, log and result names it by.
    label = models.CharField(max_length=LABEL_LENGTH, unique=True)
    # May hold credentials, so no page, log, export or audit entry shows it. "" for those of
    # NODE_URLS: each process has them from its environment.
    url = models.TextField(blank=True)
    # The order of preference between equals.
    position = models.PositiveSmallIntegerField(default=0)
    # Asked nothing while this stands. By a worker that caught it, or by an operator.
    cordoned_at = models.DateTimeField(null=True, blank=True)
    cordoned_by = models.CharField(max_length=160, blank=True)
    cordon_reason = models.CharField(max_length=500, blank=True)
    added_by = models.CharField(max_length=160, blank=True)
    added_at = models.DateTimeField(db_default=Now())

    objects = NodeQuerySet.as_manager()

    class Meta:
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.label

    @property
    def is_from_environment(self) -> bool:
        return not self.url


class RemovedNodeQuerySet(models.QuerySet["RemovedNode"]):
    def forget(self) -> int:
        """Deletes those that cannot be put back any more, with their URLs; returns how many."""
        return self.filter(removed_at__lt=Now() - REMOVED_KEPT).delete()[0]


class RemovedNode(models.Model):
    """A node that an operator removed: kept for a day, so that it can be put back."""

    label = models.CharField(max_length=LABEL_LENGTH, unique=True)
    # As above: shown nowhere.
    url = models.TextField()
    removed_at = models.DateTimeField(db_default=Now())

    objects = RemovedNodeQuerySet.as_manager()

    def __str__(self) -> str:
        return self.label

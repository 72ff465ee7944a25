"""Notifications, from the Api's side: trying them. To whom they go is chosen in the configuration file."""

from __future__ import annotations

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.services.notices.notifier import Notifier


class Notifying:
    """A part of the Api."""

    notifier: Notifier

    async def test_notifications(self) -> m.NotificationTest:
        sent = await self.notifier.test()
        if not sent:
            raise UsageError(
                "nobody is to be notified: notify.urls in the configuration file says where notifications go, as "
                "urls = [\"ntfy://ntfy.sh/TOPIC\"] below [notify]", code="not_configured")
        return m.NotificationTest(tuple(m.Notified(one.target, one.error) for one in sent))

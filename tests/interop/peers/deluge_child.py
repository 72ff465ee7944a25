"""Calls of Deluge's RPC, one JSON object a line; runs in the Python that Deluge is installed for."""

import json
import sys

from deluge.ui.client import client
from twisted.internet import defer, reactor, stdio
from twisted.protocols.basic import LineReceiver


def tell(**event):
    sys.stdout.write(json.dumps(event, default=lambda value: value.decode("utf-8", "replace")) + "\n")
    sys.stdout.flush()


class Commands(LineReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 1 << 24

    @defer.inlineCallbacks
    def lineReceived(self, line):  # noqa: N802  (Twisted's name)
        words = json.loads(line)
        module, _, name = words["method"].partition(".")
        try:
            value = yield getattr(getattr(client, module), name)(*words["args"])
        except Exception as error:  # noqa: BLE001  (all goes to the test)
            tell(event="error", error=repr(error))
        else:
            tell(event="answer", value=value)

    def connectionLost(self, reason=None):  # noqa: N802
        reactor.stop()


def connect(tries=100):
    def failed(error):
        if tries:
            reactor.callLater(0.1, connect, tries - 1)
        else:
            tell(event="error", error=repr(error))

    def done(_):
        client.daemon.info().addCallback(lambda version: tell(event="ready", version=version, program="deluge"))
        stdio.StandardIO(Commands())

    client.connect("127.0.0.1", int(sys.argv[1]), sys.argv[2], sys.argv[3]).addCallbacks(done, failed)


connect()
reactor.run()

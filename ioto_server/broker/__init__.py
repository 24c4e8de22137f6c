"""Topics between processes, of one machine or of many: a `Carrier` whose messages a Redis server passes on.

Imported only where `topics.broker` is set: a process without it knows nothing of this room or its library.
"""

from .carrier import BrokerCarrier

__all__ = ["BrokerCarrier"]

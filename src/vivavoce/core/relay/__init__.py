"""The relay: a session whose conversation another Realtime server leads (decision 0003)."""

"""The embedded Command: a stand-in server with real keys and certificates.

It imports nothing else of batch_reenroll: a shared parser would hide a shared mistake.
"""

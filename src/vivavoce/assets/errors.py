"""What can go wrong with an asset. Every message is one sentence for the user."""


class AssetError(Exception):
    """An asset cannot be provided."""


class AssetMissing(AssetError):
    """The asset is not installed; fetching it would help."""


class AssetDamaged(AssetError):
    """A file or archive does not have the pinned sha256."""

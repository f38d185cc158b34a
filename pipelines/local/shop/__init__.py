"""A simulated shop whose truth is known: who likes what, what was sent, what is broken and how."""

from pipelines.local.shop.broken import BrokenKind
from pipelines.local.shop.config import ShopConfig
from pipelines.local.shop.planted import Plant
from pipelines.local.shop.stream import Shop, ShopRecord
from pipelines.local.shop.truth import Truth

__all__ = ["BrokenKind", "Plant", "Shop", "ShopConfig", "ShopRecord", "Truth"]

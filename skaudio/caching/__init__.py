"""Caching of results on disk, one file per recording.

CachedTransformer
    Wraps a transformer without learned state: stored results are read instead of computed again.
CacheInfo
    Statistics that `CachedTransformer.cache_info` returns: numbers of results read and computed.
"""

# Names imported "as" themselves are for the other packages. They are not public.
from skaudio.caching._cache_info import CacheInfo
from skaudio.caching._cache_keys import IGNORED as IGNORED
from skaudio.caching._cache_keys import check_stateless as check_stateless
from skaudio.caching._cache_keys import transformer_facts as transformer_facts
from skaudio.caching._cached_transformer import CachedTransformer

__all__ = ["CacheInfo", "CachedTransformer"]

"""Results kept on disk, one file per recording: computed once, whatever the folds and the runs.

CachedTransformer
    A transformer without learned state whose results are looked up before they are computed.
CacheInfo
    What `CachedTransformer.cache_info` returns: how many were found, how many computed.
"""

# Names that are imported as themselves are for the other packages: no part of the public interface.
from skaudio.caching._cache_info import CacheInfo
from skaudio.caching._cache_keys import IGNORED as IGNORED
from skaudio.caching._cache_keys import transformer_facts as transformer_facts
from skaudio.caching._cached_transformer import CachedTransformer

__all__ = ["CacheInfo", "CachedTransformer"]

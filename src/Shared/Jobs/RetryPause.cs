namespace PoolApi.Jobs;

/// <summary>The pause before a failed operation on a store is tried again: exponential back-off from 100 ms to 2 s. Not thread-safe.</summary>
internal struct RetryPause
{
    /// <summary>The first pause.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private TimeSpan _last; // zero: no failure yet

    /// <summary>The operation has failed.</summary>
    /// <returns>How long to wait before it is tried again.</returns>
    public TimeSpan Next()
    {
        _last = _last == TimeSpan.Zero ? First : _last * 2 < Longest ? _last * 2 : Longest;
        return _last;
    }

    /// <summary>The operation has succeeded: the next pause is the first again.</summary>
    public void Reset() => _last = TimeSpan.Zero;
}

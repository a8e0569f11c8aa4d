namespace PoolApi.Jobs;

/// <summary>How long to wait before a store that failed is tried again: twice as long each time, up to two seconds.</summary>
internal struct RetryPause
{
    /// <summary>The first pause.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private TimeSpan _last; // zero: none yet

    /// <summary>It has failed.</summary>
    /// <returns>How long to wait.</returns>
    public TimeSpan Next()
    {
        _last = _last == TimeSpan.Zero ? First : _last * 2 < Longest ? _last * 2 : Longest;
        return _last;
    }

    /// <summary>It has worked.</summary>
    public void Reset() => _last = TimeSpan.Zero;
}

namespace PoolApi.TestKit.Clocks;

/// <summary>A clock that throws on demand, as an allocation does when there is no memory. Otherwise it is another clock.</summary>
/// <param name="clock">The other clock; default: the machine's.</param>
public sealed class FullMemoryClock(TimeProvider? clock = null) : ClockDecorator(clock ?? TimeProvider.System)
{
    private Func<bool>? _failsHere;
    private volatile bool _hasFailed;

    /// <summary>False: each reading of the date throws.</summary>
    public bool HasDate { get; set; } = true;

    /// <summary>Whether the reading that was to fail has thrown.</summary>
    public bool HasFailed => _hasFailed;

    /// <summary>Makes the next reading of the timestamp throw.</summary>
    /// <param name="here">Which reading counts, called by the reading thread; default: any.</param>
    public void FailOnce(Func<bool>? here = null) => Volatile.Write(ref _failsHere, here ?? (static () => true));

    public override DateTimeOffset GetUtcNow() => HasDate ? base.GetUtcNow() : throw NoMemory();

    public override long GetTimestamp()
    {
        Func<bool>? here = Volatile.Read(ref _failsHere);
        if (here is null || !here() || !ReferenceEquals(Interlocked.CompareExchange(ref _failsHere, null, here), here)) return base.GetTimestamp();
        _hasFailed = true;
        throw NoMemory();
    }

    private static InsufficientMemoryException NoMemory() => new("planted");
}

using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// The queue's view of the pool's expiry timer: whether and for which time it is set, and whether it covers the queued items. Guarded
/// by the gate.
/// </summary>
/// <remarks>
/// With a common limit, a flag makes submitters take the gate while the timer is not set. The submitter of an item with a limit
/// of its own takes the gate anyway.
/// </remarks>
internal struct TimerArming<TOps>
    where TOps : struct, IAtomicOps
{
    private readonly SubmitterFlags<TOps> _flags;
    private readonly bool _limitsWaiting;
    private bool _isSet;
    private long _due;

    public TimerArming(SubmitterFlags<TOps> flags, bool limitsWaiting)
    {
        _flags = flags;
        _limitsWaiting = limitsWaiting;
        Publish();
    }

    /// <summary>Whether the timer fires by the given time. long.MaxValue, for never, is always covered.</summary>
    public readonly bool Covers(long due) => due == long.MaxValue || (_isSet && due >= _due);

    public void Set(long due)
    {
        _isSet = true;
        _due = due;
        Publish();
    }

    /// <summary>The timer has fired, or was never set. The caller looks through the queued items after this.</summary>
    public void Fired()
    {
        _isSet = false;
        Publish();
        // Pairs with the push: a submitter that pushes after this sets the timer, and the item of one that pushed before is found in the inbox.
        TOps.Fence(); // fault point: timer-fired-fence
    }

    private readonly void Publish() => _flags.Set(SubmitterFlags<TOps>.SetTimer, _limitsWaiting && !_isSet);
}

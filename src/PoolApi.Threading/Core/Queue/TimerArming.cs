using PoolApi.Threading.Core.Atomics;

namespace PoolApi.Threading.Core.Queue;

/// <summary>
/// What the queue knows of the one timer for limits on waiting, which the pool sets and which calls it back: until when it
/// covers what waits. Guarded by the gate.
/// </summary>
/// <remarks>
/// Where there is a common limit, submitters are asked for their attention while the timer is not set; an item with a limit
/// of its own has its submitter come in anyway.
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

    /// <summary>Whether it will have fired by then. long.MaxValue, for never, is always covered.</summary>
    public readonly bool Covers(long due) => due == long.MaxValue || (_isSet && due >= _due);

    public void Set(long due)
    {
        _isSet = true;
        _due = due;
        Publish();
    }

    /// <summary>It has fired, or was never set. What waits is looked through after this.</summary>
    public void Fired()
    {
        _isSet = false;
        Publish();
        TOps.Fence(); // pairs with the push: whoever pushes after this sets the timer, whoever pushed before is found in the inbox
    }

    private readonly void Publish() => _flags.Set(SubmitterFlags<TOps>.SetTimer, _limitsWaiting && !_isSet);
}

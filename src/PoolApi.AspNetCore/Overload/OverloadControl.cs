namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Overload control: estimates from the clients that disconnect how long clients wait for a response (their patience), and refuses requests
/// whose predicted queue time is over a quarter of it.
/// </summary>
/// <remarks>
/// <para>If the queue is longer than clients wait, the workers serve clients that have disconnected or are about to. The server does not
/// know the clients' timeouts, but it sees the disconnects. So there is no threshold to configure. The states:</para>
/// <code>
///   inactive ──clients disconnect that spent most of their time in the queue, and other clients waited as long──► active
///   active ──no refusal was needed for a minute, or the estimate has expired seven times─────────────────────────► inactive
/// </code>
/// <para>Inactive: every request is admitted up to the queue's capacity, and the oldest runs first. A burst is not an overload.</para>
/// <para>Active: a request whose predicted queue time is over a quarter of the patience is refused before its body is read. Until the backlog
/// is served or gone, the pool runs the newest item first, because the clients of the oldest are about to disconnect. Another endpoint may overrule
/// that: then requests are refused as while the oldest runs first. Requests of this endpoint may
/// stop coming before that, so a timer checks the order while it is newest-first, and only then.</para>
/// <para>The estimate of the patience expires after half a second to half a minute, the later the more disconnects it is based on. Each time that it
/// expires without a new disconnect, the estimate is raised by a quarter, and half as many disconnects count as its basis.</para>
/// <para>There is one instance for each endpoint: the clients of one endpoint say nothing about the clients of another. A client that
/// disconnects early on purpose achieves little: only long queues are cut, and requests that keep the workers busy are always admitted.</para>
/// <para>Sources: newest-first under overload is Facebook's adaptive LIFO ("Fail at Scale", 2015); the prediction from the queue's length is
/// Little's law. Cost while inactive: one volatile read for each request that did not wait.</para>
/// </remarks>
/// <param name="predictWait">Predicts the queue time of an item that joins the queue now.</param>
/// <param name="order">The endpoint's vote on the order of the pool's queue.</param>
/// <param name="time">The clock.</param>
internal sealed class OverloadControl(Func<TimeSpan> predictWait, OrderArbiter.EndpointVote order, TimeProvider time)
{
    /// <summary>The fewest disconnects in a window that count: single clients disconnect for reasons of their own.</summary>
    private const int MinDisconnects = 4;

    /// <summary>At least one in this many of the clients that waited long must have disconnected.</summary>
    private const int MinShareOneIn = 10;

    /// <summary>The shortest queue time that counts as a long wait. A shorter one makes no client disconnect.</summary>
    private static readonly TimeSpan LongWait = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestLifetime = TimeSpan.FromSeconds(30);

    /// <summary>By how much each disconnect prolongs the time after which the estimate expires, between the shortest time and the longest.</summary>
    private static readonly TimeSpan LifetimeEach = TimeSpan.FromMilliseconds(75), ShortestLifetime = TimeSpan.FromSeconds(0.5);

    /// <summary>
    /// After so many expiries the estimate has grown almost fourfold, so a quarter of it is about what was estimated first. One more makes the
    /// control inactive.
    /// </summary>
    private const int MaxExpiries = 6;

    private readonly Lock _lock = new();
    private long _patience; // ticks of TimeSpan; 0: inactive. Read without the lock.

    // Guarded by the lock.
    private long _windowStart;
    private int _served; // in this window: requests that a worker took after a long wait
    private int _left; // in this window: clients that disconnected
    private TimeSpan _leftAfter; // the sum of their times from admission to disconnect
    private TimeSpan _lastWait; // the queue time of the last request that a worker took; while inactive, short ones are not recorded
    private long _lastTaken;
    private long _estimated; // when the patience was estimated, or has expired last
    private int _expiries; // since the last disconnect that changed the estimate
    private int _basis; // the number of disconnects that the estimate is based on; each expiry halves it
    private long _lastNeeded; // the last refusal, or the last disconnect that changed the estimate
    private bool _isNewestFirst;
    private long _newestFirstSince;
    private ITimer? _checking; // exists only while newest-first

    /// <summary>How long clients wait before they disconnect; <see langword="null"/> while inactive.</summary>
    public TimeSpan? Patience => Volatile.Read(ref _patience) is var ticks and not 0 ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Decides about a new request, before its body is read: whether to refuse it.</summary>
    public bool ShouldRefuse()
    {
        if (Volatile.Read(ref _patience) == 0) return false;
        TimeSpan wait = predictWait();
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (!IsStillActive(now)) return false;
            if (!IsTooLong(wait, now)) return false;
            // With newest-first, a worker takes an item that has waited long only if no newer one is queued. So this request would run next,
            // and its client is less likely to disconnect than the clients of the queued items.
            // None of this holds if another endpoint has restored oldest-first.
            if (_isNewestFirst && order.IsNewestFirst && _lastWait.Ticks > Limit) return false;
            _lastNeeded = now;
            return true;
        }
    }

    /// <summary>A worker has taken a request from the queue. Called on the worker.</summary>
    /// <param name="waited">The request's queue time.</param>
    public void OnTaken(TimeSpan waited)
    {
        bool active = Volatile.Read(ref _patience) != 0;
        if (waited < LongWait && !active) return;
        TimeSpan wait = active ? predictWait() : TimeSpan.Zero;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            Roll(now);
            _lastTaken = now;
            _lastWait = waited;
            if (waited >= LongWait)
            {
                _served++;
                if (!active) order.ForOldestFirst();
            }
            if (active && IsStillActive(now)) IsTooLong(wait, now);
        }
    }

    /// <summary>A client has disconnected. A request that has expired or timed out does not show how long its client would have waited.</summary>
    /// <param name="after">The time since its request was admitted.</param>
    /// <param name="waited">The part of that time that the request was queued.</param>
    public void OnClientLeft(TimeSpan after, TimeSpan waited)
    {
        // Work that itself ran long explains the disconnect better than the queue does.
        if (waited < LongWait || waited < after / 2) return;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            Roll(now);
            bool active = IsStillActive(now);
            // If no request is taken, the work is stuck, and a shorter queue would not help. If other requests waited for less time, the
            // queue is not the reason.
            bool othersWait = time.GetElapsedTime(_lastTaken, now) < Window + after && _lastWait >= waited / 2;
            if (!active && !othersWait) return;
            _left++;
            _leftAfter += after;
            if (_left < MinDisconnects || _left * MinShareOneIn < _served) return;
            TimeSpan seen = _leftAfter / _left;
            Volatile.Write(ref _patience, Math.Max(1, active ? Math.Min(seen.Ticks, (seen.Ticks + _patience) / 2) : seen.Ticks));
            _estimated = now;
            _lastNeeded = now;
            _expiries = 0;
            _basis = active ? Math.Min(_basis + 1, Enough) : _left;
        }
    }

    private static int Enough => (int)(LongestLifetime / LifetimeEach);

    /// <summary>The time after which the estimate expires.</summary>
    private TimeSpan Lifetime => TimeSpan.FromTicks(Math.Max(ShortestLifetime.Ticks, Math.Min(_basis, Enough) * LifetimeEach.Ticks));

    /// <summary>The longest predicted queue time, in ticks, that is admitted: a quarter of the patience.</summary>
    private long Limit => _patience / 4;

    private void Roll(long now)
    {
        if (time.GetElapsedTime(_windowStart, now) < Window) return;
        _windowStart = now;
        _served = 0;
        _left = 0;
        _leftAfter = TimeSpan.Zero;
    }

    private bool IsStillActive(long now)
    {
        if (_patience == 0) return false;
        if (time.GetElapsedTime(_lastNeeded, now) > Quiet) return Deactivate();
        // The estimate expires also while no request comes, so it may have expired several times since the last look.
        while (time.GetElapsedTime(_estimated, now) > Lifetime)
        {
            if (++_expiries > MaxExpiries) return Deactivate();
            _estimated += (long)(Lifetime.TotalSeconds * time.TimestampFrequency);
            _basis /= 2;
            Volatile.Write(ref _patience, _patience + (_patience / 4));
        }
        return true;

        bool Deactivate()
        {
            Volatile.Write(ref _patience, 0);
            SetNewestFirst(false);
            return false;
        }
    }

    private bool IsTooLong(TimeSpan wait, long now)
    {
        bool tooLong = wait.Ticks > Limit;
        if (!_isNewestFirst)
        {
            // Hysteresis: at the limit itself the order would change with each request.
            if (wait.Ticks > Limit * 3 / 2)
            {
                _newestFirstSince = now;
                SetNewestFirst(true);
            }
        }
        // After the time of the patience, every client that waited when newest-first began has been served or has disconnected.
        else if (!tooLong && time.GetElapsedTime(_newestFirstSince, now).Ticks >= _patience)
        {
            SetNewestFirst(false);
        }
        return tooLong;
    }

    private void SetNewestFirst(bool newestFirst)
    {
        if (_isNewestFirst == newestFirst) return;
        _isNewestFirst = newestFirst;
        order.Set(newestFirst);
        _checking?.Dispose();
        _checking = newestFirst ? StartChecking() : null;
    }

    /// <summary>Starts the timer for the next check of the order. After at most a minute without refusals the order is oldest first again, which disposes of the timer.</summary>
    private ITimer StartChecking()
    {
        using AsyncFlowControl flow = ExecutionContext.SuppressFlow(); // the timer outlives the request that starts it
        return time.CreateTimer(static control => ((OverloadControl)control!).CheckOrder(), this, Window, Timeout.InfiniteTimeSpan);
    }

    private void CheckOrder()
    {
        TimeSpan wait = predictWait();
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (!_isNewestFirst) return;
            if (IsStillActive(now)) IsTooLong(wait, now);
            _checking?.Change(Window, Timeout.InfiniteTimeSpan);
        }
    }
}

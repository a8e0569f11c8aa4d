namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Overload control: learns from the clients that disconnect how long clients wait (their patience), and refuses requests whose predicted
/// queue time is over a quarter of it.
/// </summary>
/// <remarks>
/// <para>If the queue is longer than clients wait, the workers serve clients that have disconnected or are about to. The server does not
/// know the clients' timeouts, but it sees the disconnects. So there is no threshold to configure. The states:</para>
/// <code>
///   calm ──clients disconnect that spent most of their time in the queue, and other clients waited as long──► wary
///   wary ──no refusal was needed for a minute, or the patience was doubted seven times──────────────────────► calm
/// </code>
/// <para>Calm: every request is admitted up to the queue's capacity, and the oldest runs first. A burst is not an overload.</para>
/// <para>Wary: a request whose predicted queue time is over a quarter of the patience is refused before its body is read. Until the backlog
/// is served or gone, the pool runs the newest item first, because the clients of the oldest are about to disconnect. Another endpoint may overrule
/// that: then requests are refused as while the oldest runs first. Requests of this endpoint may
/// stop coming before that, so a timer checks the order while it is newest-first, and only then.</para>
/// <para>The patience grows by a quarter each time its trust ends without a new disconnect. Trust lasts half a minute when it was learned
/// from many clients, and as little as half a second when it was learned from a handful.</para>
/// <para>There is one instance for each endpoint: the clients of one endpoint say nothing about the clients of another. A client that
/// disconnects early on purpose achieves little: only long queues are cut, and requests that keep the workers busy are always admitted.</para>
/// <para>Sources: newest-first under overload is Facebook's adaptive LIFO ("Fail at Scale", 2015); the prediction from the queue's length is
/// Little's law. Cost while calm: one volatile read for each request that did not wait.</para>
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
    private static readonly TimeSpan LongestTrust = TimeSpan.FromSeconds(30);

    /// <summary>The trust that each disconnect adds, between the shortest trust and the longest.</summary>
    private static readonly TimeSpan TrustEach = TimeSpan.FromMilliseconds(75), ShortestTrust = TimeSpan.FromSeconds(0.5);

    /// <summary>
    /// After this many doubts the patience has grown almost fourfold, so a quarter of it is about the patience that was learned. One more
    /// doubt makes the control calm.
    /// </summary>
    private const int MaxDoubts = 6;

    private readonly Lock _lock = new();
    private long _patience; // ticks of TimeSpan; 0: calm. Read without the lock.

    // Guarded by the lock.
    private long _windowStart;
    private int _served; // in this window: requests that a worker took after a long wait
    private int _left; // in this window: clients that disconnected
    private TimeSpan _leftAfter; // the sum of their times from admission to disconnect
    private TimeSpan _lastWait; // the queue time of the last request that a worker took; while calm, short ones are not recorded
    private long _lastTaken;
    private long _learned; // when the patience was learned or doubted last
    private int _doubts; // since the patience was learned
    private int _witnesses; // the disconnects it was learned from; each doubt halves them
    private long _lastNeeded; // the last refusal, or when the patience was learned
    private bool _isNewestFirst;
    private long _newestFirstSince;
    private ITimer? _checking; // exists only while newest-first

    /// <summary>How long clients wait before they disconnect; <see langword="null"/> while calm.</summary>
    public TimeSpan? Patience => Volatile.Read(ref _patience) is var ticks and not 0 ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Decides about a new request, before its body is read: whether to refuse it.</summary>
    public bool ShouldRefuse()
    {
        if (Volatile.Read(ref _patience) == 0) return false;
        TimeSpan wait = predictWait();
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (!IsStillWary(now)) return false;
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
        bool wary = Volatile.Read(ref _patience) != 0;
        if (waited < LongWait && !wary) return;
        TimeSpan wait = wary ? predictWait() : TimeSpan.Zero;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            Roll(now);
            _lastTaken = now;
            _lastWait = waited;
            if (waited >= LongWait)
            {
                _served++;
                if (!wary) order.ForOldestFirst();
            }
            if (wary && IsStillWary(now)) IsTooLong(wait, now);
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
            bool wary = IsStillWary(now);
            // If no request is taken, the work is stuck, and a shorter queue would not help. If other requests waited for less time, the
            // queue is not the reason.
            bool othersWait = time.GetElapsedTime(_lastTaken, now) < Window + after && _lastWait >= waited / 2;
            if (!wary && !othersWait) return;
            _left++;
            _leftAfter += after;
            if (_left < MinDisconnects || _left * MinShareOneIn < _served) return;
            TimeSpan seen = _leftAfter / _left;
            Volatile.Write(ref _patience, Math.Max(1, wary ? Math.Min(seen.Ticks, (seen.Ticks + _patience) / 2) : seen.Ticks));
            _learned = now;
            _lastNeeded = now;
            _doubts = 0;
            _witnesses = wary ? Math.Min(_witnesses + 1, Enough) : _left;
        }
    }

    private static int Enough => (int)(LongestTrust / TrustEach);

    /// <summary>How long the patience is trusted since it was learned.</summary>
    private TimeSpan Trust => TimeSpan.FromTicks(Math.Max(ShortestTrust.Ticks, Math.Min(_witnesses, Enough) * TrustEach.Ticks));

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

    private bool IsStillWary(long now)
    {
        if (_patience == 0) return false;
        if (time.GetElapsedTime(_lastNeeded, now) > Quiet) return Calm();
        // Every trust that has ended is one doubt, also those that have ended while no request came.
        while (time.GetElapsedTime(_learned, now) > Trust)
        {
            if (++_doubts > MaxDoubts) return Calm();
            _learned += (long)(Trust.TotalSeconds * time.TimestampFrequency);
            _witnesses /= 2;
            Volatile.Write(ref _patience, _patience + (_patience / 4));
        }
        return true;

        bool Calm()
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

    /// <summary>Starts the timer for the next check of the order. It needs no owner: the order is the oldest first again within a minute without refusals.</summary>
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
            if (IsStillWary(now)) IsTooLong(wait, now);
            _checking?.Change(Window, Timeout.InfiniteTimeSpan);
        }
    }
}

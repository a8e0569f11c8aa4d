namespace PoolApi.AspNetCore.Overload;

/// <summary>
/// Keeps a pool useful when more comes than it can do: once clients are seen to give up after waiting for some time, requests
/// that would wait for a quarter as long are refused at once.
/// </summary>
/// <remarks>
/// <para>A queue that clients out-wait serves only those who have left, or are about to. The server does not know how long
/// they wait, but it sees them leave. So there is nothing to tune:</para>
/// <code>
///   calm ──some leave, who had mostly waited, while others were kept waiting as long──► wary ──a quiet minute──► calm
/// </code>
/// <para>Calm, everything up to the queue's capacity is let in, oldest first: a burst is not an overload. Wary, what would
/// wait for longer than a quarter of the clients' patience, as the pool predicts from its recent run times, is refused before
/// anything of it is read; and until the backlog from before is served or gone, the pool takes the newest first, since the
/// oldest are about to leave. The patience that was learned is trusted less as time goes by: it grows by a quarter each half
/// minute until clients leave again. What was learned from few clients is trusted for less time: from a handful, for seconds.</para>
/// <para>One for each endpoint: what the clients of one endpoint do says nothing of the clients of another.</para>
/// <para>Someone who leaves early to make the server wary gains little: a pool is wary of long queues only, and always lets in
/// what keeps its workers busy.</para>
/// <para>Newest-first under overload is Facebook's adaptive LIFO ("Fail at Scale", 2015); predicting the wait from the length
/// of the queue is as old as queueing theory (Little). Cost while calm: one read for each request that did not wait.</para>
/// </remarks>
/// <param name="predictWait">How long an item that joins the queue now may have to wait.</param>
/// <param name="order">The endpoint's say in the order in which the pool takes what waits.</param>
/// <param name="time">The clock.</param>
internal sealed class OverloadControl(Func<TimeSpan> predictWait, OrderArbiter.Seat order, TimeProvider time)
{
    /// <summary>Who leaves one by one has reasons of his own.</summary>
    private const int Some = 4;

    /// <summary>Of those who waited long, one in so many must have left.</summary>
    private const int OneIn = 10;

    /// <summary>Shorter waits drive nobody away.</summary>
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestTrust = TimeSpan.FromSeconds(30);

    /// <summary>How long each client that left is believed, up to the longest and not below the shortest.</summary>
    private static readonly TimeSpan TrustEach = TimeSpan.FromMilliseconds(75), ShortestTrust = TimeSpan.FromSeconds(0.5);

    /// <summary>After so many it is four times what was learned, and was no limit to anything: better to learn anew.</summary>
    private const int MostDoubts = 6;

    private readonly Lock _lock = new();
    private long _patience; // ticks of TimeSpan; 0: calm. Read without the lock.

    // Guarded by the lock.
    private long _windowStart;
    private int _served; // in this window: taken after a long wait
    private int _left; // in this window: those who left
    private TimeSpan _leftAfter; // together
    private TimeSpan _lastWait; // of the one a worker took last
    private long _lastTaken;
    private long _learned; // or doubted last
    private int _doubts; // since it was learned
    private int _witnesses; // clients that left, from whom it was learned; doubt halves them
    private long _lastNeeded;
    private bool _isNewestFirst;
    private long _newestFirstSince;

    /// <summary>How long clients wait before they leave, as far as is known.</summary>
    public TimeSpan? Patience => Volatile.Read(ref _patience) is var ticks and not 0 ? TimeSpan.FromTicks(ticks) : null;

    /// <summary>Whether a request that comes now had better come later. Called before anything of it is read.</summary>
    public bool ShouldRefuse()
    {
        if (Volatile.Read(ref _patience) == 0) return false;
        TimeSpan wait = predictWait();
        long now = time.GetTimestamp();
        lock (_lock)
        {
            if (!IsStillWary(now)) return false;
            if (!IsTooLong(wait, now)) return false;
            // With the newest first it comes next, and is worth more than what the workers take else by now.
            if (_isNewestFirst && _lastWait.Ticks > Limit) return false;
            _lastNeeded = now;
            return true;
        }
    }

    /// <summary>A worker has taken a request that has waited for so long. On the worker.</summary>
    public void Taken(TimeSpan waited)
    {
        bool wary = Volatile.Read(ref _patience) != 0;
        if (waited < Long && !wary) return;
        TimeSpan wait = wary ? predictWait() : TimeSpan.Zero;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            Roll(now);
            _lastTaken = now;
            _lastWait = waited;
            if (waited >= Long)
            {
                _served++;
                if (!wary) order.Wait();
            }
            if (wary && IsStillWary(now)) IsTooLong(wait, now);
        }
    }

    /// <summary>A client has left.</summary>
    /// <param name="after">How long after its request was let in.</param>
    /// <param name="waited">How much of that it was kept waiting for a worker.</param>
    public void Left(TimeSpan after, TimeSpan waited)
    {
        // Someone whose work itself took long was not driven away by the queue.
        if (waited < Long || waited < after / 2) return;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            Roll(now);
            bool wary = IsStillWary(now);
            // Not if nobody is served: then it is the work that is stuck, and a short queue would not help. Nor if others did
            // not have to wait so long.
            bool othersWait = time.GetElapsedTime(_lastTaken, now) < Window + after && _lastWait >= waited / 2;
            if (!wary && !othersWait) return;
            _left++;
            _leftAfter += after;
            if (_left < Some || _left * OneIn < _served) return;
            TimeSpan seen = _leftAfter / _left;
            Volatile.Write(ref _patience, Math.Max(1, wary ? Math.Min(seen.Ticks, (seen.Ticks + _patience) / 2) : seen.Ticks));
            _learned = now;
            _lastNeeded = now;
            _doubts = 0;
            _witnesses = wary ? Math.Min(_witnesses + 1, Enough) : _left;
        }
    }

    private static int Enough => (int)(LongestTrust / TrustEach);

    /// <summary>How long what was learned is trusted.</summary>
    private TimeSpan Trust => TimeSpan.FromTicks(Math.Max(ShortestTrust.Ticks, Math.Min(_witnesses, Enough) * TrustEach.Ticks));

    /// <summary>The longest wait, in ticks, that is let in: a quarter of the patience.</summary>
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
        bool doubted = time.GetElapsedTime(_learned, now) > Trust;
        if (time.GetElapsedTime(_lastNeeded, now) > Quiet || (doubted && ++_doubts > MostDoubts))
        {
            Volatile.Write(ref _patience, 0);
            SetNewestFirst(false);
            return false;
        }
        if (doubted)
        {
            Volatile.Write(ref _patience, _patience + (_patience / 4));
            _learned = now;
            _witnesses /= 2;
        }
        return true;
    }

    private bool IsTooLong(TimeSpan wait, long now)
    {
        bool tooLong = wait.Ticks > Limit;
        if (!_isNewestFirst)
        {
            // Half as much again: around the limit itself it would change with each request.
            if (wait.Ticks > Limit * 3 / 2)
            {
                _newestFirstSince = now;
                SetNewestFirst(true);
            }
        }
        // Until whoever waited when it began has been served or has left: the last of them are not worth the work either.
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
        order.Want(newestFirst);
    }
}

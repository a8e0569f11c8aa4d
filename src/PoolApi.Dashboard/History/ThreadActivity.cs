namespace PoolApi.Dashboard.History;

/// <summary>What the kernel has counted of a thread at one moment.</summary>
/// <param name="At">The moment.</param>
/// <param name="Running">The thread's time on a processor, in ns.</param>
/// <param name="Waiting">The thread's time waiting for a processor, in ns, without a wait that is not over.</param>
/// <param name="IsRunnable">Whether the thread runs or waits for a processor. Read after <see cref="At"/> and before the counts.</param>
internal readonly record struct ThreadReading(TimeSpan At, long Running, long Waiting, bool IsRunnable);

/// <summary>Decides from readings of a thread's counts what the thread did. Not thread-safe.</summary>
/// <remarks>
/// The kernel counts a wait for a processor when the wait ends. So time that is not counted is a block or, if the thread is runnable, perhaps a wait.
/// If the thread is runnable and uncounted time is the largest part, the reading decides nothing. Then the previous result stays, and the next reading
/// is compared with the same earlier one, since the wait may be counted by then. If the counts of two such readings are equal, the thread has waited.
/// </remarks>
internal sealed class ThreadActivity(ThreadReading first)
{
    private ThreadReading _decided = first; // the last reading that decided what the thread did
    private ThreadReading _last = first;
    private WorkerActivityView? _known;

    /// <summary>The moment of the last reading that decided.</summary>
    public TimeSpan Since => _decided.At;

    /// <summary>Takes a reading.</summary>
    /// <returns>What the thread did since <see cref="Since"/>; <see langword="null"/> if that is not known yet.</returns>
    public WorkerActivityView? Add(in ThreadReading now)
    {
        WorkerActivityView view = Between(_decided, now);
        bool isDecided = view.Activity != WorkerActivity.Blocked || !now.IsRunnable;
        if (isDecided) (_decided, _known) = (now, view);
        else if (_last.IsRunnable && (_last.Running, _last.Waiting) == (now.Running, now.Waiting)) _known = new(WorkerActivity.WaitingForProcessor, 0, 1, null);
        _last = now;
        return _known;
    }

    private static WorkerActivityView Between(in ThreadReading before, in ThreadReading now)
    {
        double whole = Math.Max(1, (now.At - before.At).TotalNanoseconds);
        double running = Math.Clamp((now.Running - before.Running) / whole, 0, 1);
        double waiting = Math.Clamp((now.Waiting - before.Waiting) / whole, 0, 1 - running);
        double blocked = 1 - running - waiting;
        WorkerActivity activity = blocked > running && blocked > waiting ? WorkerActivity.Blocked
            : waiting > running ? WorkerActivity.WaitingForProcessor
            : WorkerActivity.Computing;
        return new WorkerActivityView(activity, running, waiting, null);
    }
}

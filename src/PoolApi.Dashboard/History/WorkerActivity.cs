using System.Globalization;
using PoolApi.Threading;
using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.History;

/// <summary>What a busy worker's thread does.</summary>
internal enum WorkerActivity
{
    /// <summary>The thread runs on a processor.</summary>
    Computing,

    /// <summary>The thread is runnable and waits for a processor.</summary>
    WaitingForProcessor,

    /// <summary>The thread is blocked: it waits for a lock, a disk, a network or a timer.</summary>
    Blocked,
}

/// <summary>Derives what busy workers do from two readings of their threads' <c>/proc/self/task/TID/schedstat</c>. Linux only; without /proc it returns nothing.</summary>
/// <remarks>
/// The kernel counts a wait for a processor when the wait ends. So time of a runnable thread that is not counted may be such a wait, or a block that
/// is over. If that time is the largest part, the reading decides nothing: the earlier result stays, and the next reading compares with the same one
/// before, when the wait has been counted.
/// </remarks>
internal sealed class ActivityReader(FixedThreadPool pool, TimeProvider time)
{
    private readonly Dictionary<int, Reading> _last = [];
    private Dictionary<int, WorkerActivityView> _activities = [];
    private Dictionary<int, WorkerActivityView> _earlier = [];

    public WorkerActivityView? Of(int worker) => _activities.GetValueOrDefault(worker);

    /// <summary>Takes a reading. The first reading of a worker gives no result yet.</summary>
    public void Read(PoolSnapshot snapshot)
    {
        (_activities, _earlier) = (_earlier, _activities);
        _activities.Clear();
        foreach (Worker worker in pool.Core.Workers.All)
        {
            if (worker.Id >= snapshot.Workers.Count || snapshot.Workers[worker.Id].Elapsed is not { } elapsed
                || Reading.Of(worker.ThreadId, time.GetTimestamp()) is not { } reading)
            {
                _last.Remove(worker.Id);
                continue;
            }
            if (_last.TryGetValue(worker.Id, out Reading before) && before.Thread == reading.Thread && time.GetElapsedTime(before.At, reading.At) <= elapsed)
            {
                WorkerActivityView view = View(before, reading);
                if (view.Activity == WorkerActivity.Blocked && IsRunnable(reading.Thread))
                {
                    if (_earlier.TryGetValue(worker.Id, out WorkerActivityView? known)) _activities[worker.Id] = known;
                    continue;
                }
                _activities[worker.Id] = view;
            }
            _last[worker.Id] = reading;
        }
    }

    private WorkerActivityView View(in Reading before, in Reading now)
    {
        double whole = Math.Max(1, time.GetElapsedTime(before.At, now.At).TotalNanoseconds);
        double running = Math.Clamp((now.Running - before.Running) / whole, 0, 1);
        double waiting = Math.Clamp((now.Waiting - before.Waiting) / whole, 0, 1 - running);
        double blocked = 1 - running - waiting;
        WorkerActivity activity = blocked > running && blocked > waiting ? WorkerActivity.Blocked
            : waiting > running ? WorkerActivity.WaitingForProcessor
            : WorkerActivity.Computing;
        return new WorkerActivityView(activity, running, waiting, activity == WorkerActivity.Blocked ? WaitChannel(now.Thread) : null);
    }

    /// <summary>Whether the thread runs or waits for a processor. False if that is unknown.</summary>
    private static bool IsRunnable(int thread)
    {
        try
        {
            // The state follows the name, which is in parentheses and may have any characters.
            string stat = File.ReadAllText($"/proc/self/task/{thread}/stat");
            return stat.AsSpan(stat.LastIndexOf(')') + 1).TrimStart().StartsWith("R");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The kernel function in which the thread sleeps (<c>wchan</c>); null if it is unknown or not accessible.</summary>
    private static string? WaitChannel(int thread)
    {
        try
        {
            string channel = File.ReadAllText($"/proc/self/task/{thread}/wchan").Trim();
            return channel is "" or "0" ? null : channel;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private readonly record struct Reading(int Thread, long At, long Running, long Waiting)
    {
        /// <summary>Reads the counts of a thread; null if there is no such thread or the kernel does not count.</summary>
        public static Reading? Of(int thread, long at)
        {
            if (thread == 0) return null;
            try
            {
                // schedstat: time on a processor and time waiting for one, both in ns, then the number of time slices.
                string[] numbers = File.ReadAllText($"/proc/self/task/{thread}/schedstat").Split(' ');
                return numbers.Length >= 2
                    && long.TryParse(numbers[0], NumberStyles.None, CultureInfo.InvariantCulture, out long running)
                    && long.TryParse(numbers[1], NumberStyles.None, CultureInfo.InvariantCulture, out long waiting)
                    ? new Reading(thread, at, running, waiting)
                    : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }
}

/// <summary>What a busy worker's thread did since the previous tick.</summary>
/// <param name="Activity">What the thread did for the largest part of the time.</param>
/// <param name="Running">The part of the time on a processor, 0 to 1.</param>
/// <param name="Waiting">The part of the time waiting for a processor, 0 to 1.</param>
/// <param name="Channel">The kernel function in which the thread is blocked.</param>
internal sealed record WorkerActivityView(WorkerActivity Activity, double Running, double Waiting, string? Channel);

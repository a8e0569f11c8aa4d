using System.Globalization;
using PoolApi.Threading;
using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.History;

/// <summary>What a busy worker's thread does.</summary>
internal enum WorkerActivity
{
    /// <summary>It is on a processor.</summary>
    Computing,

    /// <summary>It could go on, and has no processor.</summary>
    WaitingForProcessor,

    /// <summary>It waits for something: a lock, a disk, a network, a time.</summary>
    Blocked,
}

/// <summary>Tells what busy workers do from two readings of the kernel's counts of their threads. Linux only; elsewhere, and where /proc is closed, nothing.</summary>
internal sealed class ActivityReader(FixedThreadPool pool, TimeProvider time)
{
    private readonly Dictionary<int, Reading> _last = [];
    private readonly Dictionary<int, WorkerActivityView> _activities = [];

    public WorkerActivityView? Of(int worker) => _activities.GetValueOrDefault(worker);

    /// <summary>Reads once more. The first reading of a worker tells nothing yet.</summary>
    public void Read(PoolSnapshot snapshot)
    {
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
                _activities[worker.Id] = View(before, reading);
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

    /// <summary>The kernel's function that the thread sleeps in; null: unknown, or not shown to us.</summary>
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
        /// <summary>Null: there is no such thread, or the kernel does not count.</summary>
        public static Reading? Of(int thread, long at)
        {
            if (thread == 0) return null;
            try
            {
                // Time on a processor, time waiting for one (both in ns), times it was given one.
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

/// <summary>What a busy worker did since the tick before.</summary>
/// <param name="Activity">What it did most.</param>
/// <param name="Running">The part of the time that it was on a processor.</param>
/// <param name="Waiting">The part that it waited for one.</param>
/// <param name="Channel">What it is blocked in, as the kernel calls it.</param>
internal sealed record WorkerActivityView(WorkerActivity Activity, double Running, double Waiting, string? Channel);

using System.Globalization;
using PoolApi.Threading;
using PoolApi.Threading.Core;

namespace PoolApi.Dashboard.History;

/// <summary>Derives what busy workers do from readings of <c>/proc/self/task/TID</c>. Linux only; without /proc it returns nothing.</summary>
internal sealed class ActivityReader(FixedThreadPool pool, TimeProvider time)
{
    private readonly Dictionary<int, (int Thread, ThreadActivity Activity)> _threads = [];
    private readonly Dictionary<int, WorkerActivityView> _activities = [];

    public WorkerActivityView? Of(int worker) => _activities.GetValueOrDefault(worker);

    /// <summary>Takes a reading. The first reading of a worker gives no result yet, nor does the first after its item has changed.</summary>
    public void Read(PoolSnapshot snapshot)
    {
        _activities.Clear();
        foreach (Worker worker in pool.Core.Workers.All)
        {
            int thread = worker.ThreadId;
            if (worker.Id >= snapshot.Workers.Count || snapshot.Workers[worker.Id].Elapsed is not { } elapsed || ReadingOf(thread) is not { } reading)
            {
                _threads.Remove(worker.Id);
                continue;
            }
            if (!_threads.TryGetValue(worker.Id, out var known) || known.Thread != thread || reading.At - known.Activity.Since > elapsed)
                _threads[worker.Id] = (thread, new ThreadActivity(reading));
            else if (known.Activity.Add(reading) is { } view)
                _activities[worker.Id] = view.Activity == WorkerActivity.Blocked ? view with { Channel = WaitChannel(thread) } : view;
        }
    }

    /// <summary>Reads the counts of a thread; null if there is no such thread or the kernel does not count.</summary>
    private ThreadReading? ReadingOf(int thread)
    {
        if (thread == 0) return null;
        try
        {
            TimeSpan at = time.GetElapsedTime(0, time.GetTimestamp());
            // The state follows the name, which is in parentheses and may have any characters.
            string stat = File.ReadAllText($"/proc/self/task/{thread}/stat");
            bool isRunnable = stat.AsSpan(stat.LastIndexOf(')') + 1).TrimStart().StartsWith("R");
            // schedstat: time on a processor and time waiting for one, both in ns, then the number of time slices.
            string[] numbers = File.ReadAllText($"/proc/self/task/{thread}/schedstat").Split(' ');
            return numbers.Length >= 2
                && long.TryParse(numbers[0], NumberStyles.None, CultureInfo.InvariantCulture, out long running)
                && long.TryParse(numbers[1], NumberStyles.None, CultureInfo.InvariantCulture, out long waiting)
                ? new ThreadReading(at, running, waiting, isRunnable)
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
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
}

using System.Globalization;

namespace PoolApi.PoolBenchmarks.Processes;

/// <summary>The processor usage of threads, as Linux counts it.</summary>
/// <param name="Threads">The number of threads.</param>
/// <param name="Ticks">User and system time in clock ticks, a hundredth of a second, of each thread rounded down.</param>
/// <param name="RunTime">The same to the nanosecond, where the kernel counts that.</param>
/// <param name="Switches">Their voluntary context switches, which is how often they were woken.</param>
internal readonly record struct ThreadUsage(int Threads, long Ticks, TimeSpan RunTime, long Switches)
{
    private const string Tasks = "/proc/self/task";

    /// <summary>The usage of each thread of this process since the thread started, by its id and name.</summary>
    public static Dictionary<(int Id, string Name), ThreadUsage> OfEachThread()
    {
        var all = new Dictionary<(int, string), ThreadUsage>();
        foreach (string task in Directory.EnumerateDirectories(Tasks))
        {
            try
            {
                int id = int.Parse(Path.GetFileName(task), CultureInfo.InvariantCulture);
                all.Add((id, File.ReadAllText(Path.Combine(task, "comm")).TrimEnd('\n')), Read(task));
            }
            catch (IOException)
            {
                // The thread has ended in the meantime.
            }
        }
        return all;
    }

    public static ThreadUsage operator +(ThreadUsage one, ThreadUsage other) => new(
        one.Threads + other.Threads, one.Ticks + other.Ticks, one.RunTime + other.RunTime, one.Switches + other.Switches);

    /// <summary>The usage of one thread since the earlier reading.</summary>
    public ThreadUsage Since(ThreadUsage earlier) =>
        new(Threads, Ticks - earlier.Ticks, RunTime - earlier.RunTime, Switches - earlier.Switches);

    private static ThreadUsage Read(string task)
    {
        // The second field is the name, in parentheses, which may contain any character. The third and the other fields follow it.
        string stat = File.ReadAllText(Path.Combine(task, "stat"));
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        long ticks = Number(fields[14 - 3]) + Number(fields[15 - 3]);

        string schedule = Path.Combine(task, "schedstat");
        TimeSpan runTime = File.Exists(schedule)
            ? TimeSpan.FromMicroseconds(Number(File.ReadAllText(schedule).Split(' ')[0]) / 1000.0)
            : TimeSpan.Zero;

        string switches = File.ReadLines(Path.Combine(task, "status"))
            .First(line => line.StartsWith("voluntary_ctxt_switches:", StringComparison.Ordinal));
        return new(1, ticks, runTime, Number(switches[(switches.IndexOf(':') + 1)..].Trim()));

        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
    }
}

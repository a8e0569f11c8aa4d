using System.Globalization;

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>Facts about a process from the kernel (/proc): its threads, their CPU time, its memory.</summary>
internal static class ProcessFacts
{
    /// <summary>The names of its threads.</summary>
    public static string[] ThreadNames(int processId) => [.. Threads(processId).Select(thread => thread.Name)];

    /// <summary>Every thread: number, name, and CPU time in clock ticks (hundredths of a second).</summary>
    public static (int Id, string Name, long Ticks)[] Threads(int processId)
    {
        var threads = new List<(int, string, long)>();
        foreach (string folder in Directory.GetDirectories($"/proc/{processId}/task"))
        {
            try
            {
                string name = File.ReadAllText(Path.Combine(folder, "comm")).TrimEnd('\n');
                threads.Add((int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture), name, Ticks(Path.Combine(folder, "stat"))));
            }
            catch (IOException)
            {
                // The thread ended while its files were read.
            }
        }

        return [.. threads];
    }

    /// <summary>CPU time of the whole process, in clock ticks.</summary>
    public static long Ticks(int processId) => Ticks($"/proc/{processId}/stat");

    /// <summary>Resident memory in bytes.</summary>
    public static long ResidentBytes(int processId)
    {
        string line = File.ReadLines($"/proc/{processId}/status").Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Waits until the process has a handler for a signal.</summary>
    public static Task CatchesAsync(int processId, UnixSignal signal) => Eventually.SeesAsync(
        () => Task.FromResult(SignalMask.Contains(processId, SignalMask.Caught, signal)), catches => catches, $"a handler for {signal}", pause: TimeSpan.FromMilliseconds(1));

    private static long Ticks(string statFile)
    {
        // The name, in parentheses, may contain spaces, so fields are counted from its end. Fields 14 and 15 are user and system time.
        string stat = File.ReadAllText(statFile);
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }
}

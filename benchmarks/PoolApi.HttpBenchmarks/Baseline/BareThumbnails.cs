using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.JobBenchmarks.Load;
using PoolApi.Thumbnails;

namespace PoolApi.HttpBenchmarks.Baseline;

/// <summary>
/// The service's own call for a thumbnail in a loop on bare threads: what the processors can do without a server. It runs in a process of its own,
/// without the heap and the threads of the load.
/// </summary>
internal static class BareThumbnails
{
    /// <summary>The command that makes the program run this loop. Its arguments are THREADS MILLISECONDS.</summary>
    public const string Command = "--thumbnails";

    public const int Width = 320;

    private static readonly ThumbnailSpec Spec = new(Width, null, ThumbnailFormat.Webp, ThumbnailFit.Inside);

    /// <summary>The picture that both sides make thumbnails of.</summary>
    public static byte[] Image()
    {
        // Loads libvips. A native program does not load it at its start, as the service does not.
        RuntimeHelpers.RunClassConstructor(typeof(Thumbnailer).TypeHandle);
        return SampleImage.Make();
    }

    public static void Run(ReadOnlySpan<string> args)
    {
        if (args is not [var threads, var milliseconds]) throw new FormatException($"{Command} takes a number of threads and of milliseconds.");
        var duration = TimeSpan.FromMilliseconds(int.Parse(milliseconds, CultureInfo.InvariantCulture));
        int count = int.Parse(threads, CultureInfo.InvariantCulture);
        byte[] image = Image();
        Loop(image, count, duration / 4); // until the compiler and libvips are warm
        Console.WriteLine(Loop(image, count, duration).ToString("R", CultureInfo.InvariantCulture));
    }

    /// <returns>Thumbnails per second, in a process of its own.</returns>
    public static double Measure(int threads, TimeSpan duration)
    {
        ProcessStartInfo start = ThisProgram.With(Command, $"{threads}", $"{(int)duration.TotalMilliseconds}");
        start.Environment["DOTNET_gcServer"] = "0"; // as the service
        start.RedirectStandardOutput = true;
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{Command} ended with {process.ExitCode}.");
        return double.Parse(output, CultureInfo.InvariantCulture);
    }

    private static double Loop(byte[] image, int count, TimeSpan duration)
    {
        int made = 0;
        long startedAt = Stopwatch.GetTimestamp();
        Thread[] threads = [.. Enumerable.Range(0, count).Select(_ => new Thread(() =>
        {
            while (Stopwatch.GetElapsedTime(startedAt) < duration)
            {
                Thumbnailer.Make(image, Spec);
                Interlocked.Increment(ref made);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        return made / Stopwatch.GetElapsedTime(startedAt).TotalSeconds;
    }
}

using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PoolApi.Tests.Thumbnails;

/// <summary>How fast this machine is just now. Neighbours on its cores, and hosts that share them, inflate CPU time too.</summary>
internal static class MachineSpeed
{
    /// <summary>CPU time of one round at its fastest, on the machine where the limits of the tests were measured.</summary>
    private static readonly TimeSpan Nominal = TimeSpan.FromMilliseconds(1.5);

    private const int Rounds = 40;

    private static readonly byte[] Data = new byte[1 << 20];

    /// <summary>How many times as much CPU time as on an idle machine a fixed computation takes; at least 1.</summary>
    public static double Slowness()
    {
        Round(); // the first one compiles it
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        for (int round = 0; round < Rounds; round++) Round();
        TimeSpan spent = Process.GetCurrentProcess().TotalProcessorTime - before;
        return Math.Max(1, spent / (Rounds * Nominal));
    }

    /// <summary>The CPU time that this process takes for some work, in seconds of an idle machine.</summary>
    public static double SecondsOf(Action work)
    {
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        work();
        return (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds / Slowness();
    }

    // Each step needs the one before it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Round()
    {
        uint state = 1;
        foreach (byte value in Data) state = (state ^ value) * 0x9E3779B1 ^ state >> 15;
        return state;
    }
}

using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PoolApi.Tests.Thumbnails;

/// <summary>The current speed of this machine. Other processes on its cores, and other virtual machines, increase CPU time too.</summary>
internal static class MachineSpeed
{
    /// <summary>CPU time of one round at its fastest, on the machine where the limits of the tests were measured.</summary>
    private static readonly TimeSpan Nominal = TimeSpan.FromMilliseconds(1.5);

    private const int Rounds = 40;

    private static readonly byte[] Data = new byte[1 << 20];

    /// <summary>The CPU time of a fixed computation now, divided by that on an idle machine; at least 1.</summary>
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

    // Each step depends on the one before it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static uint Round()
    {
        uint state = 1;
        foreach (byte value in Data) state = (state ^ value) * 0x9E3779B1 ^ state >> 15;
        return state;
    }
}

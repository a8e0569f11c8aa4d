using System.Runtime.InteropServices;
using PoolApi.AspNetCore.Shutdown;

namespace PoolApi.AspNetCore.Tests.Shutdown;

/// <summary>A signal that arrives while the host takes over the handling of signals counts exactly once.</summary>
[Collection(nameof(ExitCodeTests))] // signal handlers belong to the process
public class SignalHandoverTests
{
    private static readonly StopSignal Terminate = Assert.Single(StopSignal.All, static s => s.Signal == PosixSignal.SIGTERM);

    private static readonly Action<string> NoLog = static _ => { };

    [Theory]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGHUP)]
    public void A_signal_that_only_the_early_handler_receives_stops_the_host(PosixSignal which)
    {
        StopSignal signal = Assert.Single(StopSignal.All, s => s.Signal == which);
        var first = new List<StopSignal>();
        using var signals = new StopSignals(first.Add, static _ => Assert.Fail("a single signal counted as a second one"));
        var context = new PosixSignalContext(which);

        EarlyStopSignals.End(signal, context, NoLog);

        Assert.Equal([signal], first);
        Assert.True(context.Cancel); // otherwise the runtime ends the process
    }

    [Fact]
    public void A_signal_that_two_handlers_receive_counts_once_although_they_run_a_second_apart()
    {
        var first = new List<StopSignal>();
        var second = new List<StopSignal>();
        using var signals = new StopSignals(first.Add, second.Add, new SteppingClock(TimeSpan.FromSeconds(1)));
        var context = new PosixSignalContext(PosixSignal.SIGTERM);

        EarlyStopSignals.End(Terminate, context, NoLog);
        EarlyStopSignals.End(Terminate, context, NoLog);
        Assert.Equal([Terminate], first);
        Assert.Empty(second);

        EarlyStopSignals.End(Terminate, new PosixSignalContext(PosixSignal.SIGTERM), NoLog);
        Assert.Equal([Terminate], second);
    }
}

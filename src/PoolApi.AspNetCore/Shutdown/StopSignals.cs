using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The signals that ask a process to stop. The first begins the stop; one that comes later means: now.</summary>
/// <remarks>
/// Each is handled on a thread that the runtime starts for it, so whatever blocks the rest of the process does not block
/// this. Registered after the host's own handlers, so it is asked before them.
/// </remarks>
internal sealed class StopSignals : IDisposable
{
    private readonly Action<StopSignal> _first;
    private readonly Action<StopSignal> _second;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly SignalBurst _burst = new(TimeProvider.System);

    /// <param name="first">Told the signal. The host's own handler runs after it, if there is one.</param>
    /// <param name="second">Told the signal.</param>
    public StopSignals(Action<StopSignal> first, Action<StopSignal> second)
    {
        (_first, _second) = (first, second);
        EarlyStopSignals.HandOver(() => _registrations.AddRange(StopSignal.All
            .Where(static signal => signal.IsWanted)
            .Select(signal => signal.Register(context => On(signal, context)))));
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
    }

    private void On(StopSignal signal, PosixSignalContext context)
    {
        SignalMeaning meaning = _burst.Next();
        // The process ends here, with its own exit code; or goes on with its stop. At the first, that is the host's to say.
        if (meaning != SignalMeaning.Stop || signal == StopSignal.HangUp) context.Cancel = true;
        if (meaning == SignalMeaning.Stop) _first(signal);
        else if (meaning == SignalMeaning.Now) _second(signal);
    }
}

using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Handles the stop signals. The first signal begins the stop, a second one ends the process.</summary>
/// <remarks>
/// The runtime runs each handler on a thread of its own, so a blocked process still handles signals. The runtime calls the handlers that
/// were registered last first, so these run before the host's.
/// </remarks>
internal sealed class StopSignals : IDisposable
{
    private readonly Action<StopSignal> _first;
    private readonly Action<StopSignal> _second;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly SignalBurst _burst = new(TimeProvider.System);

    /// <summary>Registers the handlers.</summary>
    /// <param name="first">Called with the first signal. The host's handler runs after it, if it has one.</param>
    /// <param name="second">Called with a second signal.</param>
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
        // Cancel: the runtime's default action would end the process. At the first signal the host's own handler cancels it, except for SIGHUP.
        if (meaning != SignalMeaning.Stop || signal == StopSignal.HangUp) context.Cancel = true;
        if (meaning == SignalMeaning.Stop) _first(signal);
        else if (meaning == SignalMeaning.Now) _second(signal);
    }
}

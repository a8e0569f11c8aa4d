using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>The signals that ask a process to stop. The first begins the stop; one that comes later means: now.</summary>
/// <remarks>
/// Each is handled on a thread that the runtime starts for it, so whatever blocks the rest of the process does not block
/// this. Registered after the host's own handlers, so it is asked before them.
/// </remarks>
internal sealed class StopSignals : IDisposable
{
    private readonly Action<string> _first;
    private readonly Action<string, int> _second;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly SignalBurst _burst = new(TimeProvider.System);

    /// <param name="first">Told the signal's name. The host's own handler runs after it.</param>
    /// <param name="second">Told the signal's name and the exit code that goes with it.</param>
    public StopSignals(Action<string> first, Action<string, int> second)
    {
        (_first, _second) = (first, second);
        Register(PosixSignal.SIGTERM, "SIGTERM", 128 + 15);
        Register(PosixSignal.SIGINT, "SIGINT", 128 + 2);
        Register(PosixSignal.SIGQUIT, "SIGQUIT", 128 + 3);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
    }

    private void Register(PosixSignal signal, string name, int exitCode) => _registrations.Add(PosixSignalRegistration.Create(signal, context =>
    {
        SignalMeaning meaning = _burst.Next();
        if (meaning == SignalMeaning.Stop)
        {
            _first(name);
            return;
        }
        context.Cancel = true; // the process ends here, with its own exit code; or goes on with its stop
        if (meaning == SignalMeaning.Now) _second(name, exitCode);
    }));
}

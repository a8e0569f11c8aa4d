using System.Runtime.InteropServices;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Handles the stop signals. The first signal begins the stop, a second one ends the process.</summary>
/// <remarks>
/// The runtime starts a thread for each SIGTERM, SIGINT and SIGQUIT, so a process with a starved ThreadPool still handles them. It queues SIGHUP to
/// the ThreadPool. It calls the handlers that were registered last first, so these run before the host's.
/// </remarks>
internal sealed class StopSignals : IDisposable
{
    private readonly Action<StopSignal> _first;
    private readonly Action<StopSignal> _second;
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly SignalBurst _burst;
    private PosixSignalContext? _last; // the signal that was handled last

    /// <summary>Registers the handlers.</summary>
    /// <param name="first">Called with the first signal. It begins the stop of the host too, which may have no handler for the signal.</param>
    /// <param name="second">Called with a second signal.</param>
    /// <param name="time">The clock that distinguishes a burst from two signals; <see langword="null"/>: the system's.</param>
    public StopSignals(Action<StopSignal> first, Action<StopSignal> second, TimeProvider? time = null)
    {
        (_first, _second, _burst) = (first, second, new SignalBurst(time ?? TimeProvider.System));
        EarlyStopSignals.HandOver(() => _registrations.AddRange(StopSignal.All
            .Where(static signal => signal.IsWanted)
            .Select(signal => signal.Register(context => On(signal, context)))), On);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
    }

    private void On(StopSignal signal, PosixSignalContext context)
    {
        context.Cancel = true; // the runtime's default action would end the process
        // A signal during the handover comes from the early handler, and from this one if the runtime chose both. Both have the same context.
        if (ReferenceEquals(Interlocked.Exchange(ref _last, context), context)) return;
        SignalMeaning meaning = _burst.Next();
        if (meaning == SignalMeaning.Stop) _first(signal);
        else if (meaning == SignalMeaning.Now) _second(signal);
    }
}

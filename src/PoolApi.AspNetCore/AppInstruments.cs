using System.Diagnostics.Metrics;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>What the app adds to the pools' own instruments, under the same meter name.</summary>
internal sealed class AppInstruments
{
    public AppInstruments(IMeterFactory meters, AppPools pools, ShutdownCoordinator shutdown)
    {
        // Not disposed here: the factory owns it and disposes it with the host.
        Meter meter = meters.Create(FixedThreadPool.MeterName);
        meter.CreateObservableGauge(
            "poolapi.queue.bytes",
            () => pools.All.Select(static pool => new Measurement<long>(pool.Bodies.Used, new KeyValuePair<string, object?>("pool", pool.Threads.Name))),
            "By",
            "Bytes that the bodies of waiting requests hold.");
        meter.CreateObservableGauge(
            "poolapi.shutdown.state",
            () => Enum.GetValues<ShutdownState>().Select(state => new Measurement<long>(
                shutdown.State == state ? 1 : 0, new KeyValuePair<string, object?>("state", state.ToWord()))),
            null,
            "1 for the state that the app is in, 0 for the others.");
    }
}

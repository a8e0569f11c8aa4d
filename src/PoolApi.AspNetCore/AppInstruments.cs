using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.AspNetCore.Mvc;
using PoolApi.AspNetCore.Shutdown;
using PoolApi.Threading;

namespace PoolApi.AspNetCore;

/// <summary>Registers the app's instruments beside the pools' own, under the same meter name: bytes, budgets, the start time and the state of the stop.</summary>
internal sealed class AppInstruments : IAppInstruments
{
    private readonly PoolContexts _pools;
    private readonly AttributeEndpoints _attributes;

    public AppInstruments(
        IMeterFactory meters, PoolContexts pools, ResponseBudget responses, IEnumerable<IMeasuredBudget> others, ShutdownCoordinator shutdown,
        AttributeEndpoints attributes)
    {
        _pools = pools;
        _attributes = attributes;
        foreach (PoolContext pool in pools.All)
        {
            foreach (string reason in Rejection.Reasons(pool)) pool.Admission.DeclareLabels(rejection: reason);
            pool.Admission.DeclareLabels(withdrawal: PoolContext.ClientGone);
        }
        IMeasuredBudget[] budgets = [.. others];
        // Not disposed of here: the factory owns the meter and disposes of it with the host.
        Meter meter = meters.Create(FixedThreadPool.MeterName);
        meter.CreateObservableGauge(
            "poolapi.queue.bytes",
            () => pools.All.Select(static pool => new Measurement<long>(pool.Bodies.Used, new KeyValuePair<string, object?>("pool", pool.Threads.Name))),
            "By",
            "Bytes that the bodies of waiting requests hold.");
        double start = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0;
        meter.CreateObservableGauge("poolapi.start.time", () => start, "s", "When the app started, in seconds since 1970.");
        meter.CreateObservableGauge(
            "poolapi.budget.usage",
            () => Measure(static pool => pool.Used, static responses => responses.Used, static budget => budget.Used),
            "By",
            "Bytes that are held of a budget.");
        meter.CreateObservableGauge(
            "poolapi.budget.limit",
            () => Measure(static pool => pool.Limit, static responses => responses.Limit, static budget => budget.Limit),
            "By",
            "Bytes that may be held of a budget.");
        meter.CreateObservableGauge(
            "poolapi.shutdown.state",
            () => Enum.GetValues<ShutdownState>().Select(state => new Measurement<long>(
                shutdown.State == state ? 1 : 0, new KeyValuePair<string, object?>("state", state.ToWord()))),
            null,
            "1 for the state that the app is in, 0 for the others.");

        IEnumerable<Measurement<long>> Measure(Func<ByteBudget, long> queue, Func<ResponseBudget, long> response, Func<IMeasuredBudget, long> other) =>
            pools.All.Select(pool => new Measurement<long>(
                queue(pool.Bodies), Name("queue"), new KeyValuePair<string, object?>("pool", pool.Threads.Name)))
            .Append(new Measurement<long>(response(responses), Name("answers")))
            .Concat(budgets.Select(budget => new Measurement<long>(other(budget), Name(budget.Name))));

        static KeyValuePair<string, object?> Name(string budget) => new("budget", budget);
    }

    public void DeclareKinds(EndpointDataSource? endpoints)
    {
        foreach (Endpoint endpoint in endpoints?.Endpoints ?? [])
        {
            if (_attributes.Resolve(endpoint).Metadata.GetMetadata<RunOnPoolMetadata>() is { } pooled) _pools.Get(pooled.Pool).Admission.DeclareLabels(pooled.Kind);
        }
    }
}

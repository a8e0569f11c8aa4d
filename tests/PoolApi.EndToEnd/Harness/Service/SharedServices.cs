using System.Collections.Concurrent;

[assembly: AssemblyFixture(typeof(SharedServices))]

namespace PoolApi.EndToEnd.Harness.Service;

/// <summary>One running service per form, with two workers and diagnostics on, for tests that leave it as they found it and do
/// not affect one another. The first test that needs a form starts it.</summary>
public sealed class SharedServices : IAsyncDisposable
{
    private readonly ConcurrentDictionary<ServiceForm, Lazy<Task<PoolApiProcess>>> _services = new();

    /// <summary>The service in this form.</summary>
    internal Task<PoolApiProcess> InAsync(ServiceForm form) =>
        _services.GetOrAdd(form, f => new Lazy<Task<PoolApiProcess>>(() => StartAsync(f))).Value;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var started in _services.Values.Where(service => service.IsValueCreated && service.Value.IsCompletedSuccessfully))
            await (await started.Value).DisposeAsync();
    }

    private static Task<PoolApiProcess> StartAsync(ServiceForm form) =>
        // The work of the tests that share it waits in one queue, on a busy machine for longer than the default limit of half a minute.
        PoolApiProcess.StartAsync(form, "--Pool:Workers 2", "--Pool:MaxQueueTime 00:10:00", PoolApiProcess.Diagnostics);
}

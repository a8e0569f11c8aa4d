using PoolApi.Jobs.Stores;

namespace PoolApi.Jobs.Tests.Conformance;

/// <summary>Tests the reference store itself: as a shared store, and as the store of a single process.</summary>
public sealed class InMemoryConformance : JobStoreConformance
{
    private readonly InMemoryJobs _jobs = new();

    private protected override PassingClock Clock { get; } = new();

    private protected override Task<IJobStore> OpenAsync(IJobStoreListener? listener = null) => OpenInMemoryAsync(_jobs, listener, Clock, isShared: true);

    private protected override Task<IJobStore> OpenAnotherAsync(IJobStoreListener? listener = null) => OpenAsync(listener);

    internal static async Task<IJobStore> OpenInMemoryAsync(InMemoryJobs jobs, IJobStoreListener? listener, PassingClock clock, bool isShared)
    {
        var store = new InMemoryJobStore(jobs, clock) { Listener = listener, IsShared = isShared };
        await store.OpenAsync(CancellationToken.None);
        return store;
    }
}

/// <inheritdoc cref="InMemoryConformance"/>
public sealed class UnsharedInMemoryConformance : JobStoreConformance
{
    private readonly InMemoryJobs _jobs = new();

    private protected override PassingClock Clock { get; } = new();

    private protected override Task<IJobStore> OpenAsync(IJobStoreListener? listener = null) =>
        InMemoryConformance.OpenInMemoryAsync(_jobs, listener, Clock, isShared: false);

    private protected override Task<IJobStore> OpenAnotherAsync(IJobStoreListener? listener = null) => OpenAsync(listener);
}

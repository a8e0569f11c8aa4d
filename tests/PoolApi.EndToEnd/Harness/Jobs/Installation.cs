namespace PoolApi.EndToEnd.Harness.Jobs;

/// <summary>The instances that share one store of jobs.</summary>
internal sealed class Installation : IAsyncDisposable
{
    private Installation(IReadOnlyList<PoolApiProcess> instances) => Instances = instances;

    /// <summary>All of them.</summary>
    public IReadOnlyList<PoolApiProcess> Instances { get; }

    /// <summary>One of them.</summary>
    public PoolApiProcess Here => Instances[0];

    /// <summary>Another of them, where there is more than one.</summary>
    public PoolApiProcess There => Instances[^1];

    /// <summary>One instance with a file, or two with a database.</summary>
    public static async Task<Installation> StartAsync(JobStore store, SharedPostgres postgres, params string[] settings) =>
        store == JobStore.Sqlite
            ? new([await PoolApiProcess.StartAsync(ServiceForm.NativeAot, [PoolApiProcess.Diagnostics, .. settings])])
            : await StartAsync(2, await postgres.NewDatabaseAsync(), settings);

    /// <summary>Instances with a database, all started at once.</summary>
    public static async Task<Installation> StartAsync(int instances, string connection, params string[] settings)
    {
        Task<PoolApiProcess>[] starting = [.. Enumerable.Range(0, instances).Select(_ => StartOneAsync(connection, settings))];
        try
        {
            return new(await Task.WhenAll(starting));
        }
        catch
        {
            // Instances that started must not outlive the test.
            foreach (var started in starting.Where(start => start.IsCompletedSuccessfully))
                await (await started).DisposeAsync();
            throw;
        }
    }

    /// <summary>One more instance with the database.</summary>
    public static Task<PoolApiProcess> StartOneAsync(string connection, params string[] settings) => PoolApiProcess.StartAsync(
        ServiceForm.NativeAot, ["--Jobs:Store postgres", $"--Jobs:ConnectionString {connection}", PoolApiProcess.Diagnostics, .. settings]);

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var instance in Instances)
            await instance.DisposeAsync();
    }
}

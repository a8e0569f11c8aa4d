using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Sqlite;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Configures SQLite as the store of an app's jobs.</summary>
public static class SqliteJobsBuilderExtensions
{
    /// <summary>Stores jobs in one SQLite file, with SQLite's own files beside it. Several processes of one machine may use it.</summary>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="path">The file. It is created if it does not exist. A relative path starts at the current directory.</param>
    public static JobsBuilder UseSqlite(this JobsBuilder jobs, string path)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return jobs.UseStore(services => new SqliteJobStore(
            path, services.GetService<TimeProvider>() ?? TimeProvider.System, services.GetService<ILogger<SqliteJobStore>>()));
    }
}

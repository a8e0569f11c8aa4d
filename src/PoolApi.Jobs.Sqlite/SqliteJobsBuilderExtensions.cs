using Microsoft.Extensions.Logging;
using PoolApi.Jobs.Sqlite;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Keeps an app's jobs in a file.</summary>
public static class SqliteJobsBuilderExtensions
{
    /// <summary>Keeps jobs in one file of SQLite, with files of the same name beside it. Several processes of one machine may use it.</summary>
    /// <param name="jobs">The app's jobs.</param>
    /// <param name="path">The file; made if it is not there. A relative path starts at the current directory.</param>
    public static JobsBuilder UseSqlite(this JobsBuilder jobs, string path)
    {
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        return jobs.UseStore(services => new SqliteJobStore(
            path, services.GetService<TimeProvider>() ?? TimeProvider.System, services.GetService<ILogger<SqliteJobStore>>()));
    }
}

using System.Globalization;
using Npgsql;
using PoolApi.AspNetCore.Settings;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.Running;

namespace PoolApi.JobSetup;

/// <summary>Where jobs are kept and how they run: the section <c>Jobs</c>.</summary>
internal sealed class JobSettings
{
    private const string Section = "Jobs";
    private const string ConnectionStringKey = "ConnectionString";

    public required JobStoreKind Store { get; init; }

    /// <summary>The file of the SQLite store; what is relative starts at the content root, which is the folder of the program.</summary>
    public required string Path { get; init; }

    /// <summary>Where PostgreSQL is. May hold a password: not to be logged or told.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>How they run.</summary>
    public required Action<JobsOptions> Configure { get; init; }

    public static JobSettings Read(IConfiguration configuration, string contentRoot, List<string> faults)
    {
        IConfigurationSection section = configuration.GetSection(Section);
        var reader = new SettingsReader(section, faults);
        var defaults = new JobsOptions();
        TimeSpan day = TimeSpan.FromDays(1);

        string store = reader.Text("Store", "sqlite", static text => text is "sqlite" or "postgres" or "none", "sqlite, postgres or none");
        string path = reader.Text("Path", "data/jobs.db", static text => text.Trim().Length > 0, "the name of a file");
        int attempts = (int)reader.WholeNumber("MaxAttempts", defaults.MaxAttempts, 1, 100);
        int payload = (int)reader.WholeNumber("MaxPayloadBytes", defaults.MaxPayloadBytes, 1, JobsOptions.MaxBytes);
        int result = (int)reader.WholeNumber("MaxResultBytes", defaults.MaxResultBytes, 1, JobsOptions.MaxBytes);
        // The default leaves room for the largest job; what is set must do so itself.
        long memory = reader.WholeNumber("MemoryBytes", Math.Max(new JobOptions().MemoryBytes, payload), 1, 1L << 40, JobOptions.DefaultMemoryBytes);
        TimeSpan lease = reader.Time("Lease", defaults.Lease, TimeSpan.FromSeconds(3), TimeSpan.FromHours(1));
        double share = Share(reader, defaults.Share);
        TimeSpan retention = reader.Time("Retention", defaults.Retention, TimeSpan.FromSeconds(1), day * 3650);
        int redeliveries = (int)reader.WholeNumber("MaxRedeliveries", defaults.MaxRedeliveries, 0, 1000);
        TimeSpan retryDelay = reader.Time("RetryDelay", defaults.RetryDelay, TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1));
        reader.Known(ConnectionStringKey);
        reader.RejectUnknownKeys(secret: true);
        // A job that is accepted must fit beside nothing at least, and what is set is kept.
        if (memory < payload) faults.Add($"{section.Path}:MemoryBytes is {memory}; it may not be less than {section.Path}:MaxPayloadBytes, {payload}.");

        string connection = section[ConnectionStringKey] ?? "";
        if (store == "postgres" && !IsConnectionString(connection))
        {
            faults.Add(
                $"{section.Path}:{ConnectionStringKey} is {(connection.Length == 0 ? "missing" : "not understood (it is not told here: it may hold a password)")}; "
                + "with Jobs:Store=postgres it may be 'Host=…;Database=…;Username=…;Password=…'.");
        }
        if (store != "postgres" && connection.Length > 0)
            faults.Add($"{section.Path}:{ConnectionStringKey} is set, and {section.Path}:Store is {store}; set {section.Path}:Store to postgres, or leave it out.");
        return new JobSettings
        {
            Store = store switch { "postgres" => JobStoreKind.Postgres, "none" => JobStoreKind.None, _ => JobStoreKind.Sqlite },
            Path = System.IO.Path.Combine(contentRoot, path),
            ConnectionString = connection,
            Configure = options =>
            {
                options.MaxAttempts = attempts;
                options.MaxPayloadBytes = payload;
                options.MaxResultBytes = result;
                options.MemoryBytes = Math.Max(memory, payload); // less is a fault, told above
                options.Lease = lease;
                options.Share = share;
                options.Retention = retention;
                options.MaxRedeliveries = redeliveries;
                options.RetryDelay = retryDelay;
            },
        };
    }

    private static double Share(SettingsReader reader, double fallback)
    {
        string text = reader.Text("Share", "", static text => Parse(text) is >= 0 and <= 1, "a number from 0 to 1, such as 0.02");
        return Parse(text) ?? fallback;

        static double? Parse(string text) =>
            double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : null;
    }

    private static bool IsConnectionString(string text)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(text) is { Host.Length: > 0 };
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

/// <summary>What keeps the jobs.</summary>
internal enum JobStoreKind
{
    None,
    Sqlite,
    Postgres,
}

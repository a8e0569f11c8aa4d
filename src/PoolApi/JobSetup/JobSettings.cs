using Npgsql;
using PoolApi.AspNetCore.Settings;
using PoolApi.Jobs.AspNetCore;
using PoolApi.Jobs.PostgreSql;
using PoolApi.Jobs.Running;

namespace PoolApi.JobSetup;

/// <summary>Where jobs are kept and how they run: the section <c>Jobs</c>.</summary>
internal sealed class JobSettings
{
    private static readonly TextSetting StoreSetting = Setting.Words(
        "Store", "sqlite", static text => text is "sqlite" or "postgres" or "none", "sqlite, postgres or none", "what keeps the jobs");

    private static readonly TextSetting PathSetting = Setting.Words(
        "Path", "data/jobs.db", static text => text.Trim().Length > 0, "the name of a file",
        "the file of the SQLite store; a relative path starts at the folder of the program, not at the working directory; in the image /data/jobs.db, on a volume");

    private static readonly Setting ConnectionStringSetting = Setting.Special(
        "ConnectionString", "Host=…;Database=…;Username=…;Password=…", "where PostgreSQL is, with `Jobs:Store=postgres`");

    private static readonly TextSetting SchemaSetting = Setting.Words(
        "Schema", SchemaName.Default, SchemaName.IsValid, SchemaName.Rule,
        "the schema of the tables, with `Jobs:Store=postgres`; it is created if it does not exist, and apps that share a database need one each");

    private static readonly Setting<TimeSpan> Retention = Of(
        "Retention", JobRanges.Retention, "how long after its end a job keeps its body and result; it is listed for twice as long");

    private static readonly Setting<long> MaxAttempts = Of("MaxAttempts", JobRanges.MaxAttempts, "attempts of one job");

    private static readonly Setting<TimeSpan> RetryDelay = Of(
        "RetryDelay", JobRanges.RetryDelay, "the pause before the second attempt, doubled for each further one up to 5 minutes");

    private static readonly Setting<TimeSpan> Lease = Of("Lease", JobRanges.Lease, "the time from the death of an instance until others take over its jobs");

    private static readonly Setting<long> MaxRedeliveries = Of(
        "MaxRedeliveries", JobRanges.MaxRedeliveries,
        "how often a job runs again after its instance has died while no other job ran there; after one more such death it fails as `poison`");

    private static readonly Setting<double> Share = Of(
        "Share", JobRanges.Share, "the part of the workers' time that jobs can count on while requests keep all of them busy");

    private static readonly Setting<long> MaxPayloadBytes = Of("MaxPayloadBytes", JobRanges.Bytes, "bytes of the body of a job");

    private static readonly Setting<long> MaxResultBytes = Of("MaxResultBytes", JobRanges.Bytes, "bytes of the result of a job");

    private static readonly Setting<long> MemoryBytes = Setting.WholeNumber(
        "MemoryBytes", new JobOptions().MemoryBytes, 1, 1L << 40,
        "bytes of the bodies of the jobs that this instance has claimed, and of their results until they are written; at least `Jobs:MaxPayloadBytes`")
        .WithDefault(JobOptions.DefaultMemoryBytes, isInFaults: true);

    public static readonly SettingSection Section = new("Jobs",
    [
        StoreSetting, PathSetting, ConnectionStringSetting, SchemaSetting, Retention, MaxAttempts, RetryDelay, Lease, MaxRedeliveries, Share, MaxPayloadBytes,
        MaxResultBytes, MemoryBytes,
    ]);

    public required JobStoreKind Store { get; init; }

    /// <summary>The file of the SQLite store. A relative path in the setting starts at the content root.</summary>
    public required string Path { get; init; }

    /// <summary>The address of PostgreSQL. It may contain a password: it is never logged, and never in a fault.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>The schema of the tables in PostgreSQL.</summary>
    public required string Schema { get; init; }

    /// <summary>Copies the settings into the options of the jobs.</summary>
    public required Action<JobsOptions> Configure { get; init; }

    public static JobSettings Read(IConfiguration configuration, string contentRoot, List<string> faults)
    {
        IConfigurationSection section = configuration.GetSection(Section.Name);
        var reader = new SettingsReader(section, faults);

        string store = reader.Read(StoreSetting);
        string path = reader.Read(PathSetting);
        string schema = reader.Read(SchemaSetting);
        int attempts = reader.Read(MaxAttempts, JobRanges.MaxAttempts.Default);
        int payload = reader.Read(MaxPayloadBytes, JobRanges.Bytes.Default);
        int result = reader.Read(MaxResultBytes, JobRanges.Bytes.Default);
        // The default is raised so that the largest job fits. A configured value must be large enough itself.
        long memory = reader.Read(MemoryBytes, Math.Max(new JobOptions().MemoryBytes, payload));
        TimeSpan lease = reader.Read(Lease, JobRanges.Lease.Default);
        double share = reader.Read(Share, JobRanges.Share.Default);
        TimeSpan retention = reader.Read(Retention, JobRanges.Retention.Default);
        int redeliveries = reader.Read(MaxRedeliveries, JobRanges.MaxRedeliveries.Default);
        TimeSpan retryDelay = reader.Read(RetryDelay, JobRanges.RetryDelay.Default);
        reader.Known(ConnectionStringSetting);
        reader.RejectUnknownKeys(secret: true);
        // A single job of the largest size must fit. A value that is set is kept.
        if (memory < payload) faults.Add($"{section.Path}:MemoryBytes is {memory}; it must not be less than {section.Path}:MaxPayloadBytes, {payload}.");

        string connection = section[ConnectionStringSetting.Key] ?? "";
        if (store == "postgres" && !IsConnectionString(connection))
        {
            faults.Add(
                $"{section.Path}:{ConnectionStringSetting.Key} is {(connection.Length == 0 ? "missing" : "not understood, or has no host (the value is not shown, because it may contain a password)")}; "
                + $"with Jobs:Store=postgres it must be a connection string with a host, such as '{ConnectionStringSetting.Allowed}'.");
        }
        if (store != "postgres")
        {
            foreach (Setting setting in (Setting[])[ConnectionStringSetting, SchemaSetting])
            {
                if (!string.IsNullOrEmpty(section[setting.Key]))
                    faults.Add($"{section.Path}:{setting.Key} is set, and {section.Path}:Store is {store}; set {section.Path}:Store to postgres, or leave it out.");
            }
        }
        return new JobSettings
        {
            Store = store switch { "postgres" => JobStoreKind.Postgres, "none" => JobStoreKind.None, _ => JobStoreKind.Sqlite },
            Path = System.IO.Path.Combine(contentRoot, path),
            ConnectionString = connection,
            Schema = schema,
            Configure = options =>
            {
                options.MaxAttempts = attempts;
                options.MaxPayloadBytes = payload;
                options.MaxResultBytes = result;
                options.MemoryBytes = Math.Max(memory, payload); // less is a fault, reported above
                options.Lease = lease;
                options.Share = share;
                options.Retention = retention;
                options.MaxRedeliveries = redeliveries;
                options.RetryDelay = retryDelay;
            },
        };
    }

    private static Setting<TimeSpan> Of(string key, JobRange<TimeSpan> range, string text) => Setting.Time(key, range.Default, range.Min, range.Max, text);

    private static Setting<long> Of(string key, JobRange<int> range, string text) => Setting.WholeNumber(key, range.Default, range.Min, range.Max, text);

    private static Setting<double> Of(string key, JobRange<double> range, string text) => Setting.Fraction(key, range.Default, range.Min, range.Max, text);

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

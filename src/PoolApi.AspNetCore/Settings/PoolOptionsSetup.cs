using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using PoolApi.Threading;

namespace PoolApi.AspNetCore.Settings;

/// <summary>Reads one pool's settings from its section, and judges what comes out, code that configured it included.</summary>
internal sealed class PoolOptionsSetup(
    IConfiguration configuration, PoolRegistration registration, IEnumerable<PoolRegistration> all, ShutdownSection shutdown)
    : IConfigureNamedOptions<PoolOptions>, IValidateOptions<PoolOptions>
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    private string Section => registration.Section.Path;

    public void Configure(PoolOptions options) => Configure(Options.DefaultName, options);

    public void Configure(string? name, PoolOptions options)
    {
        if (name != registration.Name) return;
        var reader = new SettingsReader(configuration.GetSection(Section), options.Faults);
        reader.Text("Name", registration.Name, text => text == registration.Name, $"'{registration.Name}', the name that the app registered");
        options.Workers = (int)reader.WholeNumber("Workers", options.Workers, 1, FixedThreadPoolOptions.MaxWorkers);
        options.QueueCapacity = (int)reader.WholeNumber("QueueCapacity", options.QueueCapacity, 1, FixedThreadPoolOptions.MaxQueueCapacity);
        options.MaxQueueTime = reader.Time("MaxQueueTime", options.MaxQueueTime, Shortest, Longest, orInfinite: true);
        options.MaxRunTime = reader.Time("MaxRunTime", options.MaxRunTime, Shortest, Longest, orInfinite: true);
        options.MaxBodyBytes = reader.WholeNumber("MaxBodyBytes", options.MaxBodyBytes, 1, 1L << 30);
        options.QueueBytes = reader.WholeNumber("QueueBytes", options.QueueBytes, 1, 1L << 40, PoolOptions.DefaultQueueBytes);
        options.StuckAfter = reader.Time("StuckAfter", options.StuckAfter, Shortest, Longest, orInfinite: true);
        options.Nice = (int)reader.WholeNumber("Nice", options.Nice, 0, 19);
        options.OverloadControl = reader.Boolean("OverloadControl", options.OverloadControl);
        options.ServerTiming = reader.Boolean("ServerTiming", options.ServerTiming);
        if (!registration.Section.IsShared) reader.RejectUnknownKeys();
    }

    public ValidateOptionsResult Validate(string? name, PoolOptions options)
    {
        if (name != registration.Name) return ValidateOptionsResult.Skip;
        var faults = new List<string>(options.Faults);
        if (!FixedThreadPoolOptions.IsName(registration.Name))
            faults.Add($"{Section}:Name is '{registration.Name}'; it may be 1 to 32 ASCII letters, digits, '-', '_' or '.'.");
        if (all.TakeWhile(other => other != registration).FirstOrDefault(other => other.Section.Is(registration.Section)) is { } first)
            faults.Add($"The pools '{first.Name}' and '{registration.Name}' both have the section {Section}; give one of them another with FromSection.");
        if (shutdown.Section.Is(registration.Section))
            faults.Add($"The pool '{registration.Name}' and the stop both have the section {Section}; give one of them another.");
        // What code set after the configuration was read; what the configuration set is within these already.
        Check(options.Workers is >= 1 and <= FixedThreadPoolOptions.MaxWorkers, "Workers", options.Workers);
        Check(options.QueueCapacity is >= 1 and <= FixedThreadPoolOptions.MaxQueueCapacity, "QueueCapacity", options.QueueCapacity);
        Check(IsLimit(options.MaxQueueTime), "MaxQueueTime", options.MaxQueueTime);
        Check(IsLimit(options.MaxRunTime), "MaxRunTime", options.MaxRunTime);
        Check(options.MaxBodyBytes is >= 1 and <= 1L << 30, "MaxBodyBytes", options.MaxBodyBytes);
        Check(options.QueueBytes is >= 1 and <= 1L << 40, "QueueBytes", options.QueueBytes);
        Check(IsLimit(options.StuckAfter), "StuckAfter", options.StuckAfter);
        Check(options.Nice is >= 0 and <= 19, "Nice", options.Nice);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Check(bool ok, string key, object value)
        {
            if (!ok) faults.Add($"{Section}:{key} was set to {value} in code, which is out of its range.");
        }
    }

    private static bool IsLimit(TimeSpan time) => (time >= Shortest && time <= Longest) || time == Timeout.InfiniteTimeSpan;
}

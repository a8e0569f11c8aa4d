using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace PoolApi.AspNetCore.Settings;

/// <summary>Reads one pool's settings from its section and validates the options, also those that the app's code has set.</summary>
internal sealed class PoolOptionsSetup(
    IConfiguration configuration, PoolRegistration registration, IEnumerable<PoolRegistration> all, ShutdownSection shutdown)
    : IConfigureNamedOptions<PoolOptions>, IValidateOptions<PoolOptions>
{
    private string Section => registration.Section.Path;

    public void Configure(PoolOptions options) => Configure(Options.DefaultName, options);

    public void Configure(string? name, PoolOptions options)
    {
        if (name != registration.Name) return;
        var reader = new SettingsReader(configuration.GetSection(Section), options.Faults);
        reader.Read(PoolSettings.NameOf(registration.Name));
        options.Workers = reader.Read(PoolSettings.Workers, options.Workers);
        options.QueueCapacity = reader.Read(PoolSettings.QueueCapacity, options.QueueCapacity);
        options.MaxQueueTime = reader.Read(PoolSettings.MaxQueueTime, options.MaxQueueTime);
        options.MaxRunTime = reader.Read(PoolSettings.MaxRunTime, options.MaxRunTime);
        options.MaxBodyBytes = reader.Read(PoolSettings.MaxBodyBytes, options.MaxBodyBytes);
        options.QueueBytes = reader.Read(PoolSettings.QueueBytes, options.QueueBytes);
        options.StuckAfter = reader.Read(PoolSettings.StuckAfter, options.StuckAfter);
        options.Nice = reader.Read(PoolSettings.Nice, options.Nice);
        options.OverloadControl = reader.Read(PoolSettings.OverloadControl, options.OverloadControl);
        options.ServerTiming = reader.Read(PoolSettings.ServerTiming, options.ServerTiming);
        if (!registration.Section.IsShared) reader.RejectUnknownKeys();
    }

    public ValidateOptionsResult Validate(string? name, PoolOptions options)
    {
        if (name != registration.Name) return ValidateOptionsResult.Skip;
        var faults = new List<string>(options.Faults);
        if (!PoolName.IsValid(registration.Name))
            faults.Add($"{Section}:Name is '{registration.Name}'; it must be {PoolName.Rule}.");
        if (all.TakeWhile(other => other != registration).FirstOrDefault(other => other.Section.Is(registration.Section)) is { } first)
            faults.Add($"The pools '{first.Name}' and '{registration.Name}' both have the section {Section}; give one of them another with FromSection.");
        if (shutdown.Section.Is(registration.Section))
            faults.Add($"The pool '{registration.Name}' and the stop both have the section {Section}; give one of them another.");
        // Finds values that code has set after the configuration was read. The reader has checked the configuration's values.
        PoolSettings.Workers.Validate(Section, options.Workers, faults);
        PoolSettings.QueueCapacity.Validate(Section, options.QueueCapacity, faults);
        PoolSettings.MaxQueueTime.Validate(Section, options.MaxQueueTime, faults);
        PoolSettings.MaxRunTime.Validate(Section, options.MaxRunTime, faults);
        PoolSettings.MaxBodyBytes.Validate(Section, options.MaxBodyBytes, faults);
        PoolSettings.QueueBytes.Validate(Section, options.QueueBytes, faults);
        PoolSettings.StuckAfter.Validate(Section, options.StuckAfter, faults);
        PoolSettings.Nice.Validate(Section, options.Nice, faults);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}

using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Settings;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Reads the settings of the stop and validates the options, also those that the app's code has set.</summary>
internal sealed class ShutdownOptionsSetup(IConfiguration configuration, ShutdownSection section, IServiceProviderIsService registered)
    : IConfigureOptions<ShutdownOptions>, IValidateOptions<ShutdownOptions>
{
    public void Configure(ShutdownOptions options)
    {
        var reader = new SettingsReader(configuration.GetSection(section.Section.Path), options.Faults);
        options.LameDuck = reader.Read(ShutdownSettings.LameDuck, options.LameDuck);
        options.Drain = reader.Read(ShutdownSettings.Drain, options.Drain);
        options.Cancel = reader.Read(ShutdownSettings.Cancel, options.Cancel);
        options.Watchdog = reader.Read(ShutdownSettings.Watchdog, options.Watchdog);
        if (options.Watchdog && configuration.GetSection(section.Section.Path)[ShutdownSettings.Watchdog.Key] is { Length: > 0 } && !registered.IsService(typeof(ProcessLifetime)))
            options.Faults.Add($"{section.Section.Path}:Watchdog is set, but only AddPoolProcessLifetime() starts a watchdog: call it, or remove the setting.");
        options.MaxRequests = reader.Read(ShutdownSettings.MaxRequests, options.MaxRequests);
        if (!section.Section.IsShared) reader.RejectUnknownKeys();
    }

    public ValidateOptionsResult Validate(string? name, ShutdownOptions options)
    {
        var faults = new List<string>(options.Faults);
        ShutdownSettings.LameDuck.Validate(section.Section.Path, options.LameDuck, faults);
        ShutdownSettings.Drain.Validate(section.Section.Path, options.Drain, faults);
        ShutdownSettings.Cancel.Validate(section.Section.Path, options.Cancel, faults);
        ShutdownSettings.MaxRequests.Validate(section.Section.Path, options.MaxRequests, faults);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}

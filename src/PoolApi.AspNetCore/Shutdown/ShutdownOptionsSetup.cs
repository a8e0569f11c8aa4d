using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using PoolApi.AspNetCore.Settings;

namespace PoolApi.AspNetCore.Shutdown;

/// <summary>Reads the settings of the stop, and judges what comes out, code that configured it included.</summary>
internal sealed class ShutdownOptionsSetup(IConfiguration configuration, ShutdownSection section, IServiceProviderIsService registered)
    : IConfigureOptions<ShutdownOptions>, IValidateOptions<ShutdownOptions>
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    public void Configure(ShutdownOptions options)
    {
        var reader = new SettingsReader(configuration.GetSection(section.Section.Path), options.Faults);
        options.LameDuck = reader.Time("LameDuck", options.LameDuck, TimeSpan.Zero, Hour);
        options.Drain = reader.Time("Drain", options.Drain, TimeSpan.Zero, Day);
        options.Cancel = reader.Time("Cancel", options.Cancel, TimeSpan.Zero, Hour);
        options.Watchdog = reader.Boolean("Watchdog", options.Watchdog);
        if (options.Watchdog && configuration.GetSection(section.Section.Path)["Watchdog"] is not null && !registered.IsService(typeof(ProcessLifetime)))
            options.Faults.Add($"{section.Section.Path}:Watchdog is set, but the process is not left to the pools: call AddPoolProcessLifetime() or remove the setting.");
        options.MaxRequests = reader.WholeNumber("MaxRequests", options.MaxRequests, 0, long.MaxValue);
        if (!section.Section.IsShared) reader.RejectUnknownKeys();
    }

    public ValidateOptionsResult Validate(string? name, ShutdownOptions options)
    {
        var faults = new List<string>(options.Faults);
        Check(options.LameDuck >= TimeSpan.Zero && options.LameDuck <= Hour, "LameDuck", options.LameDuck);
        Check(options.Drain >= TimeSpan.Zero && options.Drain <= Day, "Drain", options.Drain);
        Check(options.Cancel >= TimeSpan.Zero && options.Cancel <= Hour, "Cancel", options.Cancel);
        Check(options.MaxRequests >= 0, "MaxRequests", options.MaxRequests);
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);

        void Check(bool ok, string key, object value)
        {
            if (!ok) faults.Add($"{section.Section.Path}:{key} was set to {value} in code, which is out of its range.");
        }
    }
}

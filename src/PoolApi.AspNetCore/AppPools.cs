using Microsoft.Extensions.DependencyInjection;

namespace PoolApi.AspNetCore;

/// <summary>Every pool of the app. Made when the host starts, after the settings were found right.</summary>
internal sealed class AppPools
{
    private readonly Dictionary<string, AppPool> _byName = new(StringComparer.Ordinal);

    public AppPools(IServiceProvider services, IEnumerable<PoolRegistration> registrations)
    {
        foreach (PoolRegistration registration in registrations)
        {
            AppPool pool = services.GetRequiredKeyedService<AppPool>(registration.Name);
            _byName.Add(registration.Name, pool);
            Default ??= pool;
        }
    }

    /// <summary>The first that was registered.</summary>
    public AppPool? Default { get; }

    public IReadOnlyCollection<AppPool> All => _byName.Values;

    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public AppPool Get(string? name)
    {
        AppPool? pool = name is null ? Default : _byName.GetValueOrDefault(name);
        return pool ?? throw new InvalidOperationException(
            $"There is no pool {(name is null ? "at all" : $"named '{name}'")}: call services.AddFixedThreadPool({(name is null ? "" : $"\"{name}\"")}).");
    }
}

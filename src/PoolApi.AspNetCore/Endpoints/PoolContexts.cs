using Microsoft.Extensions.DependencyInjection;
using PoolApi.AspNetCore.Settings;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>All pools of the app, by name. Created when the host starts, after the settings are validated. Thread-safe.</summary>
internal sealed class PoolContexts
{
    private readonly Dictionary<string, PoolContext> _byName = new(StringComparer.Ordinal);

    public PoolContexts(IServiceProvider services, IEnumerable<PoolRegistration> registrations)
    {
        foreach (PoolRegistration registration in registrations)
        {
            PoolContext pool = services.GetRequiredKeyedService<PoolContext>(registration.Name);
            _byName.Add(registration.Name, pool);
            Default ??= pool;
        }
    }

    /// <summary>The pool that was registered first; <see langword="null"/> in an app without a pool.</summary>
    public PoolContext? Default { get; }

    public IReadOnlyCollection<PoolContext> All => _byName.Values;

    /// <summary>Finds a pool.</summary>
    /// <param name="name">The pool's name; <see langword="null"/>: the default pool.</param>
    /// <exception cref="InvalidOperationException">There is no such pool.</exception>
    public PoolContext Get(string? name)
    {
        PoolContext? pool = name is null ? Default : _byName.GetValueOrDefault(name);
        return pool ?? throw new InvalidOperationException(
            $"There is no pool {(name is null ? "at all" : $"named '{name}'")}: call services.AddFixedThreadPool({(name is null ? "" : $"\"{name}\"")}).");
    }
}

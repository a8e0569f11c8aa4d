namespace PoolApi.Auth;

/// <summary>The keys that are valid now. A change of the keys file replaces all of them at once. Thread-safe.</summary>
internal sealed class ApiKeyRing(ApiKeys first)
{
    private volatile ApiKeys _now = first;

    /// <summary>The keys at this moment. A request reads this once.</summary>
    public ApiKeys Now
    {
        get => _now;
        set => _now = value;
    }
}

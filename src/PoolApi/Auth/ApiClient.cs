namespace PoolApi.Auth;

/// <summary>Whose request it is. Among the features of every request for work, where keys are asked for.</summary>
internal sealed record ApiClient(string Name);

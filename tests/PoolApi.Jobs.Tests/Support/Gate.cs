using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests;

/// <summary>Holds attempts until the test lets them succeed.</summary>
internal sealed class Gate() : WorkGate<AttemptEnd>(ScriptedExecutor.Success);

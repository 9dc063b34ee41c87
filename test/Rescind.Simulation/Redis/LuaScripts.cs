// Runs the very scripts that are sent to Redis, in a real Lua. What differs from Redis: Lua 5.4 instead of 5.1,
// whose differences (integers) these scripts do not touch.
using System.Text;
using KeraLua;

namespace Rescind.Simulation;

internal sealed class LuaScripts : IDisposable
{
    private const string Library =
        """
        collectgarbage('generational')
        redis = {}
        function redis.call(...)
          local fault, reply = simulate(...)
          if fault then error(fault, 0) end
          return reply
        end
        function redis.pcall(...)
          local fault, reply = simulate(...)
          if fault then return { err = fault } end
          return reply
        end
        """;

    private readonly Lua _lua = new() { Encoding = Encoding.Latin1 };
    private readonly LuaFunction _simulate;
    private readonly Dictionary<object, int> _scripts = new(ReferenceEqualityComparer.Instance);
    private Func<string, string[], object?> _call = static (_, _) => null;

    public LuaScripts()
    {
        _simulate = Simulate;
        _lua.Register("simulate", _simulate);
        if (_lua.DoString(Library))
        {
            throw new InvalidOperationException(_lua.ToString(-1));
        }
    }

    /// <summary>Runs a script.</summary>
    /// <param name="script">Its text.</param>
    /// <param name="keys">Its keys.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="call">What a command does.</param>
    /// <returns>null, a string, a long or an array of such.</returns>
    /// <exception cref="RedisRefusal">A command was refused.</exception>
    public object? Run(string script, string[] keys, string[] arguments, Func<string, string[], object?> call)
    {
        _call = call;
        SetGlobal("KEYS", keys);
        SetGlobal("ARGV", arguments);
        _lua.RawGetInteger(LuaRegistry.Index, Compiled(script));
        var status = _lua.PCall(0, 1, 0);
        var reply = status == LuaStatus.OK ? Pop(-1) : _lua.ToString(-1);
        _lua.SetTop(0);
        return status == LuaStatus.OK ? reply : throw new RedisRefusal((string?)reply ?? "");
    }

    public void Dispose()
    {
        _lua.Dispose();
        GC.KeepAlive(_simulate);
    }

    private int Compiled(string script)
    {
        if (!_scripts.TryGetValue(script, out var reference))
        {
            if (_lua.LoadString(script) != LuaStatus.OK)
            {
                throw new InvalidOperationException(_lua.ToString(-1));
            }
            _scripts[script] = reference = _lua.Ref(LuaRegistry.Index);
        }
        return reference;
    }

    private void SetGlobal(string name, string[] values)
    {
        Push(_lua, values);
        _lua.SetGlobal(name);
    }

    // Errors must not be thrown through Lua's frames, so they are handed over as a value.
    private int Simulate(IntPtr state)
    {
        var lua = Lua.FromIntPtr(state);
        var words = new string[lua.GetTop()];
        for (var i = 0; i < words.Length; i++)
        {
            words[i] = lua.ToString(i + 1, false)!;
        }
        try
        {
            var reply = _call(words[0], words[1..]);
            lua.PushNil();
            Push(lua, reply);
        }
        catch (RedisRefusal refusal)
        {
            lua.PushString(refusal.Message);
            lua.PushNil();
        }
        return 2;
    }

    private static void Push(Lua lua, object? value)
    {
        switch (value)
        {
            case null:
                lua.PushBoolean(false);
                break;
            case long number:
                lua.PushInteger(number);
                break;
            case string text:
                lua.PushBuffer(Encoding.Latin1.GetBytes(text));
                break;
            case object?[] all:
                lua.CreateTable(all.Length, 0);
                for (var i = 0; i < all.Length; i++)
                {
                    Push(lua, all[i]);
                    lua.RawSetInteger(-2, i + 1);
                }
                break;
            default:
                throw new InvalidOperationException($"{value.GetType()} is no reply of Redis.");
        }
    }

    private object? Pop(int index)
    {
        switch (_lua.Type(index))
        {
            case LuaType.Nil or LuaType.Boolean when !_lua.ToBoolean(index):
                return null;
            case LuaType.Boolean:
                return 1L;
            case LuaType.Number:
                return (long)_lua.ToNumber(index);
            case LuaType.String:
                return _lua.ToString(index, false);
            case LuaType.Table:
                var all = new object?[_lua.RawLen(index)];
                for (var i = 0; i < all.Length; i++)
                {
                    _lua.RawGetInteger(index, i + 1);
                    all[i] = Pop(-1);
                    _lua.Pop(1);
                }
                return all;
            default:
                throw new InvalidOperationException("A script returned what Redis cannot.");
        }
    }
}
